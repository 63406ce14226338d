// The part of ExpressionParser that reads what follows an operand: attributes, items, calls,
// filters and tests.
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/expression_parser.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/tests.h"

namespace memory3::jinja {

absl::StatusOr<ExprPtr> ExpressionParser::ParsePostfix(ExprPtr object) {
  while (true) {
    if (tokens_.IsOperator(".") || tokens_.IsOperator("[")) {
      M3_ASSIGN_OR_RETURN(object, ParseSubscript(std::move(object)));
    } else if (tokens_.IsOperator("(")) {
      M3_ASSIGN_OR_RETURN(object, ParseCall(std::move(object)));
    } else {
      return object;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseSubscript(ExprPtr object) {
  const Token opening = tokens_.Next();
  if (opening.text == ".") {
    const Token name = tokens_.Current();
    if (name.kind != TokenKind::kName && name.kind != TokenKind::kInteger) {
      return tokens_.Unexpected("a name after '.'");
    }
    tokens_.Next();
    const bool attribute = name.kind == TokenKind::kName;
    ExprPtr node =
        NewExpr(attribute ? ExprKind::kAttribute : ExprKind::kItem, opening.line, name.text);
    node->operands.push_back(std::move(object));
    if (!attribute) node->operands.push_back(NewLiteral(name.line, Value(name.integer)));
    return Finish(std::move(node));
  }
  ExprPtr node = NewExpr(ExprKind::kItem, opening.line);
  node->operands.push_back(std::move(object));
  ExprPtr bound;
  if (!tokens_.IsOperator(":")) {
    M3_ASSIGN_OR_RETURN(bound, ParseExpression());
  }
  if (tokens_.IsOperator(":")) {
    node->kind = ExprKind::kSlice;
    node->operands.push_back(std::move(bound));
    for (int i = 0; i < 2; ++i) {
      ExprPtr next;
      if (tokens_.SkipOperator(":") && !tokens_.IsOperator(":") && !tokens_.IsOperator("]")) {
        M3_ASSIGN_OR_RETURN(next, ParseExpression());
      }
      node->operands.push_back(std::move(next));
    }
  } else {
    node->operands.push_back(std::move(bound));
  }
  M3_RETURN_IF_ERROR(tokens_.ExpectOperator("]"));
  return Finish(std::move(node));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseCall(ExprPtr callee) {
  const int line = tokens_.line();
  if (callee->kind == ExprKind::kName) called_names_.emplace_back(callee->name, line);
  if (callee->kind == ExprKind::kAttribute && !IsMethod(callee->name)) {
    return TemplateError(line, Concat("the method .", callee->name, "() is not supported"));
  }
  ExprPtr call = NewExpr(ExprKind::kCall, line);
  call->operands.push_back(std::move(callee));
  M3_RETURN_IF_ERROR(ParseArguments(*call));
  return Finish(std::move(call));
}

absl::Status ExpressionParser::ParseArguments(Expr& call) {
  M3_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
  bool first = true;
  while (!tokens_.IsOperator(")")) {
    if (!first) M3_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    if (tokens_.IsOperator(")")) break;
    first = false;
    if (tokens_.IsOperator("*") || tokens_.IsOperator("**")) {
      return TemplateError(tokens_.line(), "unpacked arguments (* and **) are not supported");
    }
    if (tokens_.Is(TokenKind::kName) && tokens_.Ahead().kind == TokenKind::kOperator &&
        tokens_.Ahead().text == "=") {
      call.names.push_back(tokens_.Next().text);
      tokens_.Next();
    } else if (!call.names.empty()) {
      return tokens_.Unexpected("an argument by keyword");
    }
    M3_ASSIGN_OR_RETURN(ExprPtr argument, ParseExpression());
    call.operands.push_back(std::move(argument));
  }
  tokens_.Next();
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseFilters(ExprPtr input) {
  while (true) {
    if (tokens_.IsOperator("|")) {
      M3_ASSIGN_OR_RETURN(input, ParseFilter(std::move(input)));
    } else if (tokens_.IsName("is")) {
      M3_ASSIGN_OR_RETURN(input, ParseTest(std::move(input)));
    } else if (tokens_.IsOperator("(")) {
      M3_ASSIGN_OR_RETURN(input, ParseCall(std::move(input)));
    } else {
      return input;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseFilter(ExprPtr input) {
  tokens_.Next();
  const Token name = tokens_.Current();
  M3_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kName, "the name of a filter"));
  ExprPtr filter = NewExpr(ExprKind::kFilter, name.line, name.text);
  filter->operands.push_back(std::move(input));
  if (tokens_.IsOperator("(")) M3_RETURN_IF_ERROR(ParseArguments(*filter));
  if (name.text == "safe" && filter->operands.size() == 1) {
    M3_RETURN_IF_ERROR(CheckNoSafeFilterLeft());
    safe_filter_line_ = name.line;
  } else if (FindFilter(name.text) == nullptr) {
    return TemplateError(name.line, Concat("the filter '", name.text, "' is not supported"));
  }
  M3_RETURN_IF_ERROR(CheckNamedOperation(*filter));
  return Finish(std::move(filter));
}

// map, select and their kin take the name of a filter or test as a string.
absl::Status ExpressionParser::CheckNamedOperation(const Expr& filter) const {
  const bool map = filter.name == "map";
  const bool by_attribute = filter.name == "selectattr" || filter.name == "rejectattr";
  if (!map && !by_attribute && filter.name != "select" && filter.name != "reject") {
    return absl::OkStatus();
  }
  const size_t positional = filter.operands.size() - filter.names.size();
  const size_t index = by_attribute ? 2 : 1;
  if (positional <= index) return absl::OkStatus();
  const Text* operation = filter.operands[index]->kind == ExprKind::kLiteral
                              ? filter.operands[index]->literal.AsText()
                              : nullptr;
  if (operation == nullptr) {
    return TemplateError(filter.line, Concat("the filter '", filter.name,
                                             "' needs its operation as a literal string"));
  }
  const std::string& name = operation->bytes();
  if (map ? FindFilter(name) != nullptr : FindTest(name) != nullptr) return absl::OkStatus();
  return TemplateError(filter.line, Concat("the ", map ? "filter" : "test", " '", name, "' in '",
                                           filter.name, "' is not supported"));
}

absl::StatusOr<ExprPtr> ExpressionParser::ParseTest(ExprPtr input) {
  tokens_.Next();
  const bool negated = tokens_.SkipName("not");
  const Token name = tokens_.Current();
  M3_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kName, "the name of a test"));
  if (FindTest(name.text) == nullptr) {
    return TemplateError(name.line, Concat("the test '", name.text, "' is not supported"));
  }
  ExprPtr test = NewExpr(ExprKind::kTest, name.line, name.text);
  test->operands.push_back(std::move(input));
  if (tokens_.IsOperator("(")) {
    M3_RETURN_IF_ERROR(ParseArguments(*test));
  } else if (tokens_.IsName("is")) {
    return TemplateError(name.line, "tests cannot be chained with 'is'");
  } else if (tokens_.Is(TokenKind::kString) || tokens_.Is(TokenKind::kInteger) ||
             tokens_.Is(TokenKind::kFloat) || tokens_.IsOperator("[") || tokens_.IsOperator("{") ||
             (tokens_.Is(TokenKind::kName) && !tokens_.IsName("else") && !tokens_.IsName("or") &&
              !tokens_.IsName("and"))) {
    M3_ASSIGN_OR_RETURN(ExprPtr argument, ParsePrimary());
    M3_ASSIGN_OR_RETURN(argument, ParsePostfix(std::move(argument)));
    test->operands.push_back(std::move(argument));
  }
  M3_ASSIGN_OR_RETURN(ExprPtr node, Finish(std::move(test)));
  if (!negated) return node;
  ExprPtr negation = NewExpr(ExprKind::kNot, name.line);
  negation->operands.push_back(std::move(node));
  return Finish(std::move(negation));
}

}  // namespace memory3::jinja
