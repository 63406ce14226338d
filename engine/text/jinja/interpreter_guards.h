// Scopes of the interpreter that end with a C++ block. Included by its sources alone.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_GUARDS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_GUARDS_H_

#include "absl/status/status.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/interpreter.h"

namespace memory3::jinja {

class Interpreter::DepthGuard {
 public:
  explicit DepthGuard(Interpreter& interpreter) : interpreter_(interpreter) {
    ++interpreter_.depth_;
  }
  ~DepthGuard() { --interpreter_.depth_; }

  absl::Status Check() const {
    if (interpreter_.depth_ <= kMaxEvaluationDepth) return absl::OkStatus();
    return absl::InvalidArgumentError(
        Concat("evaluation is nested deeper than ", kMaxEvaluationDepth, " levels"));
  }

 private:
  Interpreter& interpreter_;
};

class Interpreter::InnerScope {
 public:
  InnerScope(Interpreter& interpreter, const Scope* parent)
      : interpreter_(interpreter), outer_(interpreter.scope_) {
    scope_.parent = parent;
    interpreter_.scope_ = &scope_;
  }
  ~InnerScope() { interpreter_.scope_ = outer_; }

 private:
  Interpreter& interpreter_;
  Scope* const outer_;
  Scope scope_;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_INTERPRETER_GUARDS_H_
