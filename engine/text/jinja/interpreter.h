// Runs a parsed template. One interpreter per rendering; not thread-safe.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_H_
#define MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_H_

#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/jinja/arguments.h"
#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

class Interpreter {
 public:
  using Variables = std::vector<std::pair<std::string_view, Value>>;

  // `runtime` and the names in `variables` must outlive the interpreter.
  Interpreter(Runtime& runtime, Variables variables);

  // Errors name the line, except the message of the template's own raise_exception().
  absl::StatusOr<Text> Run(const Block& program);

 private:
  // The variables of one block; a name that is not here is looked up further out.
  struct Scope {
    const Scope* parent = nullptr;
    Variables variables;
  };
  enum class Flow { kNormal, kBreak, kContinue };
  class DepthGuard;
  class InnerScope;

  absl::StatusOr<Flow> Execute(const Block& block);
  absl::StatusOr<Flow> ExecuteStatement(const Statement& statement);
  absl::StatusOr<Flow> ExecuteIf(const Statement& statement);
  absl::StatusOr<Flow> ExecuteFor(const Statement& statement);
  absl::StatusOr<Flow> ExecuteLoopBody(const Statement& statement, std::vector<Value> items);
  absl::StatusOr<std::vector<Value>> LoopItems(const Statement& statement);
  absl::Status ExecuteSet(const Statement& statement);
  absl::Status ExecuteSetAttribute(const Statement& statement);
  absl::Status ExecuteSetBlock(const Statement& statement);
  absl::Status Print(const Expr& expr);
  absl::Status Emit(const Text& text);
  // Runs `block` in a scope of its own with its output apart.
  absl::StatusOr<Text> Capture(const Block& block);
  absl::Status DefineMacro(const Statement& statement);
  absl::StatusOr<Value> CallMacro(const Statement& macro, Arguments arguments);
  absl::Status BindParameters(const Statement& macro, Arguments arguments);

  void Assign(std::string_view name, Value value);
  absl::Status Unpack(const Targets& targets, Value value);
  Value Lookup(std::string_view name) const;

  absl::StatusOr<Value> Evaluate(const Expr& expr);
  absl::StatusOr<Value> EvaluateKind(const Expr& expr);
  absl::StatusOr<std::vector<Value>> EvaluateAll(const Expr& expr);
  absl::StatusOr<Value> EvaluateDict(const Expr& expr);
  absl::StatusOr<Value> EvaluateSlice(const Expr& expr);
  absl::StatusOr<Value> EvaluateItem(const Expr& expr);
  absl::StatusOr<Value> EvaluateCall(const Expr& expr);
  absl::StatusOr<Value> EvaluateFilter(const Expr& expr);
  absl::StatusOr<Value> EvaluateTest(const Expr& expr);
  absl::StatusOr<Value> EvaluateBinary(const Expr& expr);
  absl::StatusOr<Value> EvaluateConcat(const Expr& expr);
  absl::StatusOr<Value> EvaluateCompare(const Expr& expr);
  absl::StatusOr<Value> EvaluateChoice(const Expr& expr);
  absl::StatusOr<Value> EvaluateUnary(const Expr& expr);
  // All operands but the first.
  absl::StatusOr<Arguments> EvaluateArguments(const Expr& expr);
  absl::Status AtLine(int line, absl::Status status);

  Runtime& runtime_;
  Scope root_;
  Scope* scope_ = &root_;
  Text output_;
  Text* out_ = &output_;
  int depth_ = 0;
  bool error_has_line_ = false;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_H_
