// Python's escapes in string literals.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_STRING_LITERAL_H_
#define MEMORY3_ENGINE_TEXT_JINJA_STRING_LITERAL_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace memory3::jinja {

// `body` is what stands between the quotes. An unknown escape stays as it is written; a character
// by name (\N{...}) and half a surrogate pair are refused.
absl::StatusOr<std::string> UnescapeStringLiteral(std::string_view body);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_STRING_LITERAL_H_
