// The interpreter's expressions.
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/access.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/functions.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/interpreter_guards.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/tests.h"

namespace memory3::jinja {

absl::StatusOr<Value> Interpreter::Evaluate(const Expr& expr) {
  const DepthGuard guard(*this);
  M3_RETURN_IF_ERROR(guard.Check());
  M3_RETURN_IF_ERROR(runtime_.Spend(1));
  return EvaluateKind(expr);
}

absl::StatusOr<Value> Interpreter::EvaluateKind(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return expr.literal;
    case ExprKind::kName:
      return Lookup(expr.name);
    case ExprKind::kList:
    case ExprKind::kTuple: {
      M3_ASSIGN_OR_RETURN(std::vector<Value> items, EvaluateAll(expr));
      return runtime_.NewSequence(
          expr.kind == ExprKind::kList ? Sequence::Type::kList : Sequence::Type::kTuple,
          std::move(items));
    }
    case ExprKind::kDict:
      return EvaluateDict(expr);
    case ExprKind::kAttribute:
    case ExprKind::kItem:
      return EvaluateItem(expr);
    case ExprKind::kSlice:
      return EvaluateSlice(expr);
    case ExprKind::kCall:
      return EvaluateCall(expr);
    case ExprKind::kFilter:
      return EvaluateFilter(expr);
    case ExprKind::kTest:
      return EvaluateTest(expr);
    case ExprKind::kNot:
    case ExprKind::kNegate:
    case ExprKind::kPlus:
      return EvaluateUnary(expr);
    case ExprKind::kBinary:
      return EvaluateBinary(expr);
    case ExprKind::kConcat:
      return EvaluateConcat(expr);
    case ExprKind::kCompare:
      return EvaluateCompare(expr);
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kConditional:
      return EvaluateChoice(expr);
  }
  return absl::InternalError("an expression of no known kind");
}

absl::StatusOr<std::vector<Value>> Interpreter::EvaluateAll(const Expr& expr) {
  std::vector<Value> values;
  values.reserve(expr.operands.size());
  for (const ExprPtr& operand : expr.operands) {
    M3_ASSIGN_OR_RETURN(Value value, Evaluate(*operand));
    values.push_back(std::move(value));
  }
  return values;
}

absl::StatusOr<Value> Interpreter::EvaluateDict(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(std::vector<Value> operands, EvaluateAll(expr));
  std::vector<std::pair<Value, Value>> entries;
  for (size_t i = 0; i < operands.size(); i += 2) {
    if (!IsHashable(operands[i])) return TypeError("a dictionary key", operands[i]);
    bool replaced = false;
    for (auto& [key, value] : entries) {
      M3_ASSIGN_OR_RETURN(replaced, Equal(runtime_, key, operands[i]));
      if (!replaced) continue;
      value = operands[i + 1];
      break;
    }
    if (!replaced) entries.emplace_back(operands[i], operands[i + 1]);
  }
  return runtime_.NewDict(std::move(entries));
}

absl::StatusOr<Value> Interpreter::EvaluateItem(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
  if (expr.kind == ExprKind::kAttribute) return GetAttribute(runtime_, object, expr.name);
  M3_ASSIGN_OR_RETURN(const Value key, Evaluate(*expr.operands[1]));
  return GetItem(runtime_, object, key);
}

absl::StatusOr<Value> Interpreter::EvaluateSlice(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
  Value bounds[3];
  for (int i = 0; i < 3; ++i) {
    if (expr.operands[i + 1] == nullptr) continue;
    M3_ASSIGN_OR_RETURN(bounds[i], Evaluate(*expr.operands[i + 1]));
  }
  return Slice(runtime_, object, bounds[0], bounds[1], bounds[2]);
}

absl::StatusOr<Arguments> Interpreter::EvaluateArguments(const Expr& expr) {
  Arguments arguments;
  const size_t first_keyword = expr.operands.size() - expr.names.size();
  for (size_t i = 1; i < expr.operands.size(); ++i) {
    M3_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.operands[i]));
    if (i < first_keyword) {
      arguments.positional.push_back(std::move(value));
    } else {
      arguments.keyword.emplace_back(expr.names[i - first_keyword], std::move(value));
    }
  }
  return arguments;
}

absl::StatusOr<Value> Interpreter::EvaluateCall(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value callee, Evaluate(*expr.operands[0]));
  const Callable* callable = callee.AsCallable();
  if (callable == nullptr) return TypeError("a call", callee);
  M3_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  switch (callable->type) {
    case Callable::Type::kFunction:
      return CallFunction(runtime_, callable->name, std::move(arguments));
    case Callable::Type::kMethod:
      return CallMethod(runtime_, callable->self, callable->name, std::move(arguments));
    case Callable::Type::kMacro:
      return CallMacro(*callable->macro, std::move(arguments));
  }
  return absl::InternalError("a function of no known kind");
}

absl::StatusOr<Value> Interpreter::EvaluateFilter(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value input, Evaluate(*expr.operands[0]));
  M3_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  return FindFilter(expr.name)(runtime_, input, expr.name, std::move(arguments));
}

absl::StatusOr<Value> Interpreter::EvaluateTest(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value input, Evaluate(*expr.operands[0]));
  M3_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  M3_ASSIGN_OR_RETURN(const bool passes,
                      FindTest(expr.name)(runtime_, input, expr.name, std::move(arguments)));
  return Value(passes);
}

absl::StatusOr<Value> Interpreter::EvaluateUnary(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value operand, Evaluate(*expr.operands[0]));
  if (expr.kind == ExprKind::kNot) return Value(!IsTrue(operand));
  if (expr.kind == ExprKind::kNegate) return Negate(operand);
  return Arithmetic(runtime_, "+", Value(int64_t{0}), operand);
}

absl::StatusOr<Value> Interpreter::EvaluateBinary(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.operands[0]));
  M3_ASSIGN_OR_RETURN(const Value right, Evaluate(*expr.operands[1]));
  return Arithmetic(runtime_, expr.name, left, right);
}

absl::StatusOr<Value> Interpreter::EvaluateConcat(const Expr& expr) {
  Text joined;
  for (const ExprPtr& operand : expr.operands) {
    M3_ASSIGN_OR_RETURN(const Value value, Evaluate(*operand));
    M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime_, value));
    joined.Append(text);
  }
  return Value::OfString(std::move(joined));
}

absl::StatusOr<Value> Interpreter::EvaluateCompare(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.operands[0]));
  for (size_t i = 0; i < expr.names.size(); ++i) {
    M3_ASSIGN_OR_RETURN(Value right, Evaluate(*expr.operands[i + 1]));
    M3_ASSIGN_OR_RETURN(const bool holds, CompareWith(runtime_, expr.names[i], left, right));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

absl::StatusOr<Value> Interpreter::EvaluateChoice(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(Value first, Evaluate(*expr.operands[0]));
  const bool truth = IsTrue(first);
  if (expr.kind == ExprKind::kConditional) {
    const Expr* chosen = expr.operands[truth ? 1 : 2].get();
    if (chosen == nullptr) {
      return Value::OfUndefined("the inline if has no else and its condition is false");
    }
    return Evaluate(*chosen);
  }
  if (truth == (expr.kind == ExprKind::kOr)) return first;
  return Evaluate(*expr.operands[1]);
}

}  // namespace memory3::jinja
