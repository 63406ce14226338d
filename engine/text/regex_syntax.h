// tokenizer.json is written for Oniguruma with Ruby's syntax; this service matches with PCRE2. The
// two read some constructs differently without either complaining.
#ifndef MEMORY3_ENGINE_TEXT_REGEX_SYNTAX_H_
#define MEMORY3_ENGINE_TEXT_REGEX_SYNTAX_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace memory3 {

// A pattern that means to PCRE2 (UTF, UCP, MULTILINE) what `pattern` means to Oniguruma.
// InvalidArgument names a construct that has no equal; what neither knows is left to PCRE2.
absl::StatusOr<std::string> TranslateRegex(std::string_view pattern);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_REGEX_SYNTAX_H_
