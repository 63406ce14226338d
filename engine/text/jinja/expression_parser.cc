#include "engine/text/jinja/expression_parser.h"

#include <algorithm>
#include <initializer_list>

#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"

namespace memory3::jinja {
namespace {

constexpr std::string_view kKeywords[] = {"and", "or", "not", "in", "is", "if", "else"};
// Globals and special names of Jinja2 that have no counterpart here.
constexpr std::string_view kRefusedNames[] = {"lipsum",  "cycler", "joiner", "caller",
                                              "varargs", "kwargs", "self",   "super"};
constexpr std::string_view kCompareOperators[] = {"==", "!=", "<", "<=", ">", ">="};
constexpr int kBinaryPrecedences = 4;
constexpr int kConcatPrecedence = 1;

template <typename Range>
bool IsOneOf(std::string_view name, const Range& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Jinja2's order: sums bind looser than ~, which binds looser than products, then powers.
bool HasPrecedence(std::string_view op, int precedence) {
  switch (precedence) {
    case 0:
      return op == "+" || op == "-";
    case kConcatPrecedence:
      return op == "~";
    case 2:
      return op == "*" || op == "/" || op == "//" || op == "%";
    default:
      return op == "**";
  }
}

class NestingScope {
 public:
  explicit NestingScope(int& nesting) : nesting_(nesting) { ++nesting_; }
  ~NestingScope() { --nesting_; }

 private:
  int& nesting_;
};

}  // namespace

bool IsKeyword(std::string_view name) { return IsOneOf(name, kKeywords); }

absl::StatusOr<ExprPtr> ExpressionParser::Finish(ExprPtr expr) const {
  for (const ExprPtr& operand : expr->operands) {
    if (operand != nullptr) expr->depth = std::max(expr->depth, operand->depth + 1);
  }
  if (expr->depth > kMaxExpressionDepth) {
    return TemplateError(
        expr->line, Concat("an expression is nested deeper than ", kMaxExpressionDepth, " levels"));
  }
  return expr;
}

absl::Status ExpressionParser::Enter() {
  if (nesting_ <= kMaxExpressionDepth) return absl::OkStatus();
  return TemplateError(tokens_.line(), Concat("an expression is nested deeper than ",
                                              kMaxExpressionDepth, " levels"));
}

bool ExpressionParser::AtTupleEnd() const {
  return tokens_.Is(TokenKind::kVariableEnd) || tokens_.Is(TokenKind::kBlockEnd) ||
         tokens_.IsOperator(")");
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseTuple(bool conditional) {
  const int line = tokens_.line();
  M3_ASSIGN_OR_RETURN(ExprPtr first, ParseExpression(conditional));
  if (!tokens_.IsOperator(",")) return first;
  ExprPtr tuple = NewExpr(ExprKind::kTuple, line);
  tuple->operands.push_back(std::move(first));
  while (tokens_.SkipOperator(",")) {
    if (AtTupleEnd()) break;
    M3_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression(conditional));
    tuple->operands.push_back(std::move(item));
  }
  return Finish(std::move(tuple));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseOutput() {
  M3_ASSIGN_OR_RETURN(ExprPtr expr, ParseTuple(/*conditional=*/true));
  if (expr->kind == ExprKind::kFilter && expr->name == "safe") {
    ExprPtr input = std::move(expr->operands[0]);
    safe_filter_line_.reset();
    expr = std::move(input);
  }
  return expr;
}

absl::Status ExpressionParser::CheckNoSafeFilterLeft() const {
  if (!safe_filter_line_.has_value()) return absl::OkStatus();
  return TemplateError(*safe_filter_line_,
                       "the filter 'safe' is supported only as the last filter of {{ ... }}");
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseExpression(bool conditional) {
  const NestingScope scope(nesting_);
  M3_RETURN_IF_ERROR(Enter());
  M3_ASSIGN_OR_RETURN(ExprPtr expr, ParseOr());
  while (conditional && tokens_.IsName("if")) {
    ExprPtr choice = NewExpr(ExprKind::kConditional, tokens_.Next().line);
    M3_ASSIGN_OR_RETURN(ExprPtr condition, ParseOr());
    ExprPtr otherwise;
    if (tokens_.SkipName("else")) {
      M3_ASSIGN_OR_RETURN(otherwise, ParseExpression());
    }
    choice->operands.push_back(std::move(condition));
    choice->operands.push_back(std::move(expr));
    choice->operands.push_back(std::move(otherwise));
    M3_ASSIGN_OR_RETURN(expr, Finish(std::move(choice)));
  }
  return expr;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseOr() {
  M3_ASSIGN_OR_RETURN(ExprPtr left, ParseAnd());
  while (tokens_.IsName("or")) {
    ExprPtr node = NewExpr(ExprKind::kOr, tokens_.Next().line);
    M3_ASSIGN_OR_RETURN(ExprPtr right, ParseAnd());
    node->operands.push_back(std::move(left));
    node->operands.push_back(std::move(right));
    M3_ASSIGN_OR_RETURN(left, Finish(std::move(node)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseAnd() {
  M3_ASSIGN_OR_RETURN(ExprPtr left, ParseNot());
  while (tokens_.IsName("and")) {
    ExprPtr node = NewExpr(ExprKind::kAnd, tokens_.Next().line);
    M3_ASSIGN_OR_RETURN(ExprPtr right, ParseNot());
    node->operands.push_back(std::move(left));
    node->operands.push_back(std::move(right));
    M3_ASSIGN_OR_RETURN(left, Finish(std::move(node)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseNot() {
  if (!tokens_.IsName("not")) return ParseCompare();
  const NestingScope scope(nesting_);
  M3_RETURN_IF_ERROR(Enter());
  ExprPtr node = NewExpr(ExprKind::kNot, tokens_.Next().line);
  M3_ASSIGN_OR_RETURN(ExprPtr operand, ParseNot());
  node->operands.push_back(std::move(operand));
  return Finish(std::move(node));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseCompare() {
  M3_ASSIGN_OR_RETURN(ExprPtr first, ParseBinary(0));
  ExprPtr node = NewExpr(ExprKind::kCompare, tokens_.line());
  node->operands.push_back(std::move(first));
  while (true) {
    std::string_view op;
    if (tokens_.Is(TokenKind::kOperator) && IsOneOf(tokens_.Current().text, kCompareOperators)) {
      op = *std::find(std::begin(kCompareOperators), std::end(kCompareOperators),
                      tokens_.Next().text);
    } else if (tokens_.SkipName("in")) {
      op = "in";
    } else if (tokens_.IsName("not") && tokens_.Ahead().kind == TokenKind::kName &&
               tokens_.Ahead().text == "in") {
      tokens_.Next();
      tokens_.Next();
      op = "not in";
    } else {
      break;
    }
    M3_ASSIGN_OR_RETURN(ExprPtr operand, ParseBinary(0));
    node->names.emplace_back(op);
    node->operands.push_back(std::move(operand));
  }
  if (node->names.empty()) return std::move(node->operands[0]);
  return Finish(std::move(node));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseBinary(int precedence) {
  if (precedence == kBinaryPrecedences) return ParseUnary(/*with_filters=*/true);
  M3_ASSIGN_OR_RETURN(ExprPtr left, ParseBinary(precedence + 1));
  while (tokens_.Is(TokenKind::kOperator) && HasPrecedence(tokens_.Current().text, precedence)) {
    const Token op = tokens_.Next();
    M3_ASSIGN_OR_RETURN(ExprPtr right, ParseBinary(precedence + 1));
    const bool text_left = left->kind == ExprKind::kLiteral && left->literal.AsText() != nullptr;
    if (op.text == "%" && text_left) {
      return TemplateError(op.line, "formatting a string with % is not supported");
    }
    if (precedence == kConcatPrecedence && left->kind == ExprKind::kConcat) {
      left->operands.push_back(std::move(right));
      M3_ASSIGN_OR_RETURN(left, Finish(std::move(left)));
      continue;
    }
    ExprPtr node = NewExpr(precedence == kConcatPrecedence ? ExprKind::kConcat : ExprKind::kBinary,
                           op.line, op.text);
    node->operands.push_back(std::move(left));
    node->operands.push_back(std::move(right));
    M3_ASSIGN_OR_RETURN(left, Finish(std::move(node)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseUnary(bool with_filters) {
  const NestingScope scope(nesting_);
  M3_RETURN_IF_ERROR(Enter());
  ExprPtr node;
  if (tokens_.IsOperator("-") || tokens_.IsOperator("+")) {
    const Token sign = tokens_.Next();
    node = NewExpr(sign.text == "-" ? ExprKind::kNegate : ExprKind::kPlus, sign.line);
    M3_ASSIGN_OR_RETURN(ExprPtr operand, ParseUnary(/*with_filters=*/false));
    node->operands.push_back(std::move(operand));
    M3_ASSIGN_OR_RETURN(node, Finish(std::move(node)));
  } else {
    M3_ASSIGN_OR_RETURN(node, ParsePrimary());
  }
  M3_ASSIGN_OR_RETURN(node, ParsePostfix(std::move(node)));
  if (!with_filters) return node;
  return ParseFilters(std::move(node));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParsePrimary() {
  const Token& token = tokens_.Current();
  const int line = token.line;
  if (token.kind == TokenKind::kString) return ParseString();
  if (token.kind == TokenKind::kInteger) return NewLiteral(line, Value(tokens_.Next().integer));
  if (token.kind == TokenKind::kFloat) return NewLiteral(line, Value(tokens_.Next().real));
  if (tokens_.IsOperator("(")) return ParseParenthesised();
  if (tokens_.IsOperator("[")) return ParseList();
  if (tokens_.IsOperator("{")) return ParseDict();
  if (token.kind != TokenKind::kName || IsKeyword(token.text)) {
    return tokens_.Unexpected("an expression");
  }
  std::string name = tokens_.Next().text;
  if (name == "true" || name == "True") return NewLiteral(line, Value(true));
  if (name == "false" || name == "False") return NewLiteral(line, Value(false));
  if (name == "none" || name == "None") return NewLiteral(line, Value());
  if (IsOneOf(name, kRefusedNames)) {
    return TemplateError(line, Concat("the name '", name, "' is not supported"));
  }
  return NewExpr(ExprKind::kName, line, std::move(name));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseString() {
  const int line = tokens_.line();
  std::string text;
  while (tokens_.Is(TokenKind::kString)) text += tokens_.Next().text;
  return NewLiteral(line, Value::OfTemplateString(text));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseParenthesised() {
  const int line = tokens_.Next().line;
  if (tokens_.SkipOperator(")")) return NewExpr(ExprKind::kTuple, line);
  M3_ASSIGN_OR_RETURN(ExprPtr inner, ParseTuple(/*conditional=*/true));
  M3_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
  return inner;
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseList() {
  ExprPtr list = NewExpr(ExprKind::kList, tokens_.Next().line);
  while (!tokens_.IsOperator("]")) {
    if (!list->operands.empty()) M3_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    if (tokens_.IsOperator("]")) break;
    M3_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    list->operands.push_back(std::move(item));
  }
  tokens_.Next();
  return Finish(std::move(list));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseDict() {
  ExprPtr dict = NewExpr(ExprKind::kDict, tokens_.Next().line);
  while (!tokens_.IsOperator("}")) {
    if (!dict->operands.empty()) M3_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    if (tokens_.IsOperator("}")) break;
    M3_ASSIGN_OR_RETURN(ExprPtr key, ParseExpression());
    M3_RETURN_IF_ERROR(tokens_.ExpectOperator(":"));
    M3_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    dict->operands.push_back(std::move(key));
    dict->operands.push_back(std::move(value));
  }
  tokens_.Next();
  return Finish(std::move(dict));
}

}  // namespace memory3::jinja
