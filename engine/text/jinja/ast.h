// The parsed form of a template. Immutable after parsing.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_AST_H_
#define MEMORY3_ENGINE_TEXT_JINJA_AST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// Operands in the order written; what `name` and `names` hold.
enum class ExprKind {
  kLiteral,      // literal
  kName,         // name
  kList,         // items
  kTuple,        // items
  kDict,         // key, value, key, value ...
  kAttribute,    // object; name
  kItem,         // object, key
  kSlice,        // object, begin, end, step; an absent bound is null
  kCall,         // callee, arguments; names: of the last arguments, given by keyword
  kFilter,       // input, arguments as for kCall; name
  kTest,         // input, arguments as for kCall; name
  kNot,          // operand
  kNegate,       // operand
  kPlus,         // operand
  kBinary,       // left, right; name: the operator
  kConcat,       // parts of a ~ b ~ c
  kCompare,      // first, second ...; names: the operators between them
  kAnd,          // left, right
  kOr,           // left, right
  kConditional,  // condition, value, otherwise (null when absent)
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind;
  int line = 0;
  int depth = 1;  // of the tree below, bounded by the parser
  std::string name;
  Value literal;
  std::vector<ExprPtr> operands;
  std::vector<std::string> names;
};

inline ExprPtr NewExpr(ExprKind kind, int line, std::string name = {}) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = line;
  expr->name = std::move(name);
  return expr;
}

inline ExprPtr NewLiteral(int line, Value value) {
  ExprPtr expr = NewExpr(ExprKind::kLiteral, line);
  expr->literal = std::move(value);
  return expr;
}

enum class StatementKind {
  kData,          // data
  kOutput,        // expr
  kIf,            // branches, otherwise
  kFor,           // targets, expr (what is iterated), condition, body, otherwise
  kSet,           // targets, expr
  kSetAttribute,  // name.attribute = expr
  kSetBlock,      // name, body
  kMacro,         // name, parameters, body
  kGeneration,    // body
  kBreak,
  kContinue,
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

struct Branch {
  ExprPtr condition;
  Block body;
};

// Names that a value is assigned to: one, or several that it is unpacked into.
struct Targets {
  std::vector<std::string> names;
  bool unpack = false;
};

struct Parameter {
  std::string name;
  ExprPtr default_value;  // null when absent
};

struct Statement {
  StatementKind kind;
  int line = 0;
  Value data;
  std::string name;
  std::string attribute;
  Targets targets;
  ExprPtr expr;
  ExprPtr condition;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
  Block body;
  Block otherwise;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_AST_H_
