// Splits a template into tokens the way Jinja2 does with trim_blocks and lstrip_blocks on, which is
// how Hugging Face renders chat templates: white space around tags is settled here.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_LEXER_H_
#define MEMORY3_ENGINE_TEXT_JINJA_LEXER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace memory3::jinja {

enum class TokenKind {
  kData,           // text outside of tags
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // `text` is the unescaped value
  kInteger,
  kFloat,
  kOperator,
  kEnd,  // of the template; always the last token
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;
  int64_t integer = 0;
  double real = 0;
};

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

// An InvalidArgument status that names the line of the template.
absl::Status TemplateError(int line, std::string_view message);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_LEXER_H_
