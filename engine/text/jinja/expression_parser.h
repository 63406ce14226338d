// Parses expressions with Jinja2's precedences, and refuses by name what the evaluator does not
// know: filters, tests, methods, globals.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_EXPRESSION_PARSER_H_
#define MEMORY3_ENGINE_TEXT_JINJA_EXPRESSION_PARSER_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/token_stream.h"

namespace memory3::jinja {

// Height of an expression's tree; nesting of brackets.
inline constexpr int kMaxExpressionDepth = 200;

bool IsKeyword(std::string_view name);

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  // One expression, or several with commas between them, which make a tuple. Without `conditional`
  // an "if" ends the expression, as in {% for x in items if x %}.
  absl::StatusOr<ExprPtr> ParseTuple(bool conditional);
  absl::StatusOr<ExprPtr> ParseExpression(bool conditional = true);

  // What {{ ... }} prints. Only here, at the very end, may a filter be `safe`, where it changes
  // nothing: anywhere else it would make Jinja2 escape other strings.
  absl::StatusOr<ExprPtr> ParseOutput();
  // To be called after every tag.
  absl::Status CheckNoSafeFilterLeft() const;

  // Names called as functions, with the lines of the calls.
  const std::vector<std::pair<std::string, int>>& called_names() const { return called_names_; }

 private:
  absl::StatusOr<ExprPtr> ParseOr();
  absl::StatusOr<ExprPtr> ParseAnd();
  absl::StatusOr<ExprPtr> ParseNot();
  absl::StatusOr<ExprPtr> ParseCompare();
  // Binary operators of one precedence and above; 0 binds loosest.
  absl::StatusOr<ExprPtr> ParseBinary(int precedence);
  absl::StatusOr<ExprPtr> ParseUnary(bool with_filters);
  absl::StatusOr<ExprPtr> ParsePrimary();
  absl::StatusOr<ExprPtr> ParseString();
  absl::StatusOr<ExprPtr> ParseParenthesised();
  absl::StatusOr<ExprPtr> ParseList();
  absl::StatusOr<ExprPtr> ParseDict();
  absl::StatusOr<ExprPtr> ParsePostfix(ExprPtr object);
  absl::StatusOr<ExprPtr> ParseFilters(ExprPtr input);
  absl::StatusOr<ExprPtr> ParseFilter(ExprPtr input);
  absl::StatusOr<ExprPtr> ParseTest(ExprPtr input);
  absl::StatusOr<ExprPtr> ParseSubscript(ExprPtr object);
  absl::StatusOr<ExprPtr> ParseCall(ExprPtr callee);
  absl::Status ParseArguments(Expr& call);
  absl::Status CheckNamedOperation(const Expr& filter) const;
  bool AtTupleEnd() const;

  absl::StatusOr<ExprPtr> Finish(ExprPtr expr) const;
  absl::Status Enter();

  TokenStream& tokens_;
  int nesting_ = 0;
  std::optional<int> safe_filter_line_;
  std::vector<std::pair<std::string, int>> called_names_;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_EXPRESSION_PARSER_H_
