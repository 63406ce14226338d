// JSON from files that anyone may have written.
#ifndef MEMORY3_ENGINE_BASE_PARSE_JSON_H_
#define MEMORY3_ENGINE_BASE_PARSE_JSON_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace memory3 {

// Copying and printing a value recurse, so that endless nesting would exhaust the stack. Published
// files nest to about 10.
inline constexpr int kMaxJsonNesting = 64;

// Never throws. InvalidArgument naming `source` for what is not JSON or nests deeper than
// kMaxJsonNesting. `callback` sees every event of the parser.
absl::StatusOr<nlohmann::json> ParseJson(
    absl::string_view text, absl::string_view source,
    const nlohmann::json::parser_callback_t& callback = nullptr);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_PARSE_JSON_H_
