// The parser's view of the tokens: one current token and one ahead.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_TOKEN_STREAM_H_
#define MEMORY3_ENGINE_TEXT_JINJA_TOKEN_STREAM_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/text/jinja/lexer.h"

namespace memory3::jinja {

class TokenStream {
 public:
  // The last token is kEnd, as Tokenize makes it.
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Current() const { return tokens_[position_]; }
  const Token& Ahead() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  int line() const { return Current().line; }

  // Never moves past the end.
  Token Next() {
    Token token = Current();
    if (token.kind != TokenKind::kEnd) ++position_;
    return token;
  }

  bool Is(TokenKind kind) const { return Current().kind == kind; }
  bool IsOperator(std::string_view op) const {
    return Current().kind == TokenKind::kOperator && Current().text == op;
  }
  bool IsName(std::string_view name) const {
    return Current().kind == TokenKind::kName && Current().text == name;
  }
  bool SkipOperator(std::string_view op) {
    const bool skip = IsOperator(op);
    if (skip) Next();
    return skip;
  }
  bool SkipName(std::string_view name) {
    const bool skip = IsName(name);
    if (skip) Next();
    return skip;
  }

  absl::Status ExpectOperator(std::string_view op);
  absl::Status ExpectName(std::string_view name);
  absl::Status Expect(TokenKind kind, std::string_view what);
  // "expected X, found Y" at the current token.
  absl::Status Unexpected(std::string_view expected) const;

 private:
  std::vector<Token> tokens_;
  size_t position_ = 0;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_TOKEN_STREAM_H_
