// Parses a template. Whatever lies outside of the subset (docs/api.md) is an InvalidArgument status
// that names the construct and its line.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_PARSER_H_
#define MEMORY3_ENGINE_TEXT_JINJA_PARSER_H_

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/ast.h"

namespace memory3::jinja {

inline constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
inline constexpr int kMaxBlockDepth = 50;

absl::StatusOr<Block> ParseTemplate(std::string_view source);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_PARSER_H_
