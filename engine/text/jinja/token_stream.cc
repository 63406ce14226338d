#include "engine/text/jinja/token_stream.h"

#include "engine/text/jinja/concat.h"

namespace memory3::jinja {
namespace {

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kData:
      return "text";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kName:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
    case TokenKind::kOperator:
      return Concat("'", token.text, "'");
    case TokenKind::kEnd:
      return "the end of the template";
  }
  return "a token";
}

}  // namespace

absl::Status TokenStream::Unexpected(std::string_view expected) const {
  return TemplateError(line(), Concat("expected ", expected, ", found ", Describe(Current())));
}

absl::Status TokenStream::ExpectOperator(std::string_view op) {
  return SkipOperator(op) ? absl::OkStatus() : Unexpected(Concat("'", op, "'"));
}

absl::Status TokenStream::ExpectName(std::string_view name) {
  return SkipName(name) ? absl::OkStatus() : Unexpected(Concat("'", name, "'"));
}

absl::Status TokenStream::Expect(TokenKind kind, std::string_view what) {
  if (!Is(kind)) return Unexpected(what);
  Next();
  return absl::OkStatus();
}

}  // namespace memory3::jinja
