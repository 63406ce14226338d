#include "engine/text/jinja/lexer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/string_literal.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

constexpr std::string_view kTwoCharacterOperators[] = {"//", "**", "==", "!=", ">=", "<="};
constexpr std::string_view kOneCharacterOperators = "+-/*%~[](){}><=.:|,";

bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsNamePart(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// Jinja2 reads every kind of line break as \n and drops one at the end of the template.
std::string NormalizeNewlines(std::string_view source) {
  std::string text = absl::StrReplaceAll(ToAbsl(source), {{"\r\n", "\n"}, {"\r", "\n"}});
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (position_ < source_.size()) M3_RETURN_IF_ERROR(LexDataAndTag());
    Push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const { return source_.substr(position_); }
  bool At(std::string_view text) const { return Rest().substr(0, text.size()) == text; }
  char Peek(size_t ahead = 0) const {
    return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0';
  }

  void Advance(size_t bytes) {
    line_ += static_cast<int>(
        std::count(source_.begin() + position_, source_.begin() + position_ + bytes, '\n'));
    position_ += bytes;
  }

  Token& Push(TokenKind kind, std::string_view text) {
    return tokens_.emplace_back(Token{.kind = kind, .line = line_, .text = std::string(text)});
  }

  // Text up to the next tag, then the tag.
  absl::Status LexDataAndTag() {
    size_t begin = position_;
    while (begin < source_.size()) {
      begin = source_.find('{', begin);
      if (begin == std::string_view::npos) begin = source_.size();
      const char second = begin + 1 < source_.size() ? source_[begin + 1] : '\0';
      if (begin == source_.size() || second == '{' || second == '%' || second == '#') break;
      ++begin;
    }
    const std::string_view data = source_.substr(position_, begin - position_);
    if (begin == source_.size()) {
      PushData(data);
      Advance(data.size());
      return absl::OkStatus();
    }
    const char type = source_[begin + 1];
    const char sign = begin + 2 < source_.size() ? source_[begin + 2] : '\0';
    PushData(StripBeforeTag(data, type, sign));
    Advance(data.size() + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (type == '#') return LexComment();
    return LexTag(type == '{' ? '}' : '%');
  }

  void PushData(std::string_view data) {
    if (!data.empty()) Push(TokenKind::kData, data);
  }

  std::string_view StripBeforeTag(std::string_view data, char type, char sign) const {
    if (sign == '-') return data.substr(0, StripRange(data, nullptr, false, true).end);
    if (sign == '+' || type == '{') return data;
    const size_t newline = data.rfind('\n');
    if (newline == std::string_view::npos && !at_line_start_) return data;
    const size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    const std::string_view last_line = data.substr(line_begin);
    const bool blank =
        StripRange(last_line, nullptr, true, false).begin == last_line.size() && !last_line.empty();
    return blank ? data.substr(0, line_begin) : data;
  }

  absl::Status LexComment() {
    const size_t end = source_.find("#}", position_);
    if (end == std::string_view::npos) return TemplateError(line_, "a comment is not closed");
    // The sign belongs to the end of the tag only when the comment has text of its own before it.
    const char sign = end > position_ ? source_[end - 1] : '\0';
    Advance(end + 2 - position_);
    SkipAfterTag(sign, /*trims_newline=*/true);
    return absl::OkStatus();
  }

  // White space after a closing tag that the tag takes with it.
  void SkipAfterTag(char sign, bool trims_newline) {
    const size_t start = position_;
    if (sign == '-') {
      const std::string_view rest = Rest();
      Advance(StripRange(rest, nullptr, true, false).begin);
    } else if (sign != '+' && trims_newline && Peek() == '\n') {
      Advance(1);
    }
    at_line_start_ = position_ > start && source_[position_ - 1] == '\n';
  }

  // `closing` is the first character of the end of the tag: } for }} and % for %}.
  absl::Status LexTag(char closing) {
    const bool variable = closing == '}';
    Push(variable ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    const size_t first_token = tokens_.size();
    while (position_ < source_.size()) {
      if (brackets_.empty()) {
        const std::optional<char> sign = TagEnd(closing);
        if (sign.has_value()) {
          Push(variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
          Advance(*sign == '\0' ? 2 : 3);
          SkipAfterTag(*sign, /*trims_newline=*/!variable);
          return absl::OkStatus();
        }
      }
      M3_RETURN_IF_ERROR(LexToken());
      if (tokens_.size() == first_token + 1 && !variable && tokens_.back().text == "raw" &&
          tokens_.back().kind == TokenKind::kName) {
        return TemplateError(line_, "the block {% raw %} is not supported");
      }
    }
    return TemplateError(line_, "a tag is not closed");
  }

  // The end of the tag at this position: its white-space sign, or '\0' without one.
  std::optional<char> TagEnd(char closing) const {
    const auto closes = [&](size_t ahead) {
      return Peek(ahead) == closing && Peek(ahead + 1) == '}';
    };
    if (closes(0)) return '\0';
    if (Peek() == '-' && closes(1)) return '-';
    if (Peek() == '+' && closing == '%' && closes(1)) return '+';
    return std::nullopt;
  }

  absl::Status LexToken() {
    const CodePoint next = DecodeAt(source_, position_);
    if (IsSpace(next.value)) {
      Advance(next.length);
      return absl::OkStatus();
    }
    const char c = Peek();
    if (absl::ascii_isdigit(c)) return LexNumber();
    if (IsNameStart(c)) {
      size_t length = 1;
      while (IsNamePart(Peek(length))) ++length;
      Push(TokenKind::kName, Rest().substr(0, length));
      Advance(length);
      return absl::OkStatus();
    }
    if (c == '\'' || c == '"') return LexString(c);
    return LexOperator();
  }

  absl::Status LexString(char quote) {
    size_t length = 1;
    while (position_ + length < source_.size() && Peek(length) != quote) {
      length += Peek(length) == '\\' ? 2 : 1;
    }
    if (position_ + length >= source_.size()) {
      return TemplateError(line_, "a string is not closed");
    }
    absl::StatusOr<std::string> value = UnescapeStringLiteral(Rest().substr(1, length - 1));
    if (!value.ok()) return TemplateError(line_, ToStd(value.status().message()));
    Push(TokenKind::kString, *value);
    Advance(length + 1);
    return absl::OkStatus();
  }

  // Digits with single underscores between them, from `ahead` on; returns one past them.
  size_t SkipDigits(size_t ahead) const {
    while (absl::ascii_isdigit(Peek(ahead)) ||
           (Peek(ahead) == '_' && absl::ascii_isdigit(Peek(ahead + 1)))) {
      ++ahead;
    }
    return ahead;
  }

  absl::Status LexNumber() {
    size_t length = SkipDigits(0);
    bool real = false;
    const bool after_dot = position_ > 0 && source_[position_ - 1] == '.';
    if (!after_dot && Peek(length) == '.' && absl::ascii_isdigit(Peek(length + 1))) {
      length = SkipDigits(length + 1);
      real = true;
    }
    if (!after_dot && (Peek(length) == 'e' || Peek(length) == 'E')) {
      const size_t sign = Peek(length + 1) == '+' || Peek(length + 1) == '-' ? 1 : 0;
      if (absl::ascii_isdigit(Peek(length + 1 + sign))) {
        length = SkipDigits(length + 1 + sign);
        real = true;
      }
    }
    const std::string digits = absl::StrReplaceAll(ToAbsl(Rest().substr(0, length)), {{"_", ""}});
    const bool leading_zero =
        digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos;
    if (IsNamePart(Peek(length)) || (!real && leading_zero)) {
      return TemplateError(
          line_, Concat("the number at '", Rest().substr(0, length + 1), "' is not supported"));
    }
    Token& token = Push(real ? TokenKind::kFloat : TokenKind::kInteger, digits);
    if (real ? !absl::SimpleAtod(digits, &token.real) : !absl::SimpleAtoi(digits, &token.integer)) {
      return TemplateError(line_, Concat("the number ", digits, " is too large"));
    }
    Advance(length);
    return absl::OkStatus();
  }

  absl::Status LexOperator() {
    size_t length = 1;
    for (const std::string_view two : kTwoCharacterOperators) {
      if (At(two)) length = 2;
    }
    const std::string_view op = Rest().substr(0, length);
    if (length == 1 && kOneCharacterOperators.find(op[0]) == std::string_view::npos) {
      const size_t bytes = DecodeAt(source_, position_).length;
      return TemplateError(line_, Concat("unexpected character '", Rest().substr(0, bytes), "'"));
    }
    if (op == "(" || op == "[" || op == "{") {
      brackets_.push_back(op == "(" ? ')' : op == "[" ? ']' : '}');
    } else if (op == ")" || op == "]" || op == "}") {
      if (brackets_.empty() || brackets_.back() != op[0]) {
        return TemplateError(line_, Concat("unexpected '", op, "'"));
      }
      brackets_.pop_back();
    }
    Push(TokenKind::kOperator, op);
    Advance(length);
    return absl::OkStatus();
  }

  const std::string_view source_;
  size_t position_ = 0;
  int line_ = 1;
  // The tag before took the rest of its line with it (or there was none yet).
  bool at_line_start_ = true;
  std::vector<char> brackets_;  // closing brackets awaited
  std::vector<Token> tokens_;
};

}  // namespace

absl::Status TemplateError(int line, std::string_view message) {
  return absl::InvalidArgumentError(Concat("chat template, line ", line, ": ", message));
}

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) {
  const std::string normalized = NormalizeNewlines(source);
  return Lexer(normalized).Run();
}

}  // namespace memory3::jinja
