// Statements, scopes and macros; expressions are in evaluate.cc.
#include "engine/text/jinja/interpreter.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/functions.h"
#include "engine/text/jinja/interpreter_guards.h"
#include "engine/text/jinja/lexer.h"
#include "engine/text/jinja/operators.h"

namespace memory3::jinja {

Interpreter::Interpreter(Runtime& runtime, Variables variables) : runtime_(runtime) {
  root_.variables = std::move(variables);
}

absl::StatusOr<Text> Interpreter::Run(const Block& program) {
  M3_RETURN_IF_ERROR(Execute(program).status());
  return std::move(output_);
}

absl::Status Interpreter::AtLine(int line, absl::Status status) {
  if (status.ok() || error_has_line_ || runtime_.raised()) return status;
  error_has_line_ = true;
  return TemplateError(line, ToStd(status.message()));
}

absl::StatusOr<Interpreter::Flow> Interpreter::Execute(const Block& block) {
  for (const std::unique_ptr<Statement>& statement : block) {
    absl::StatusOr<Flow> flow = ExecuteStatement(*statement);
    if (!flow.ok()) return AtLine(statement->line, flow.status());
    if (*flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteStatement(const Statement& statement) {
  const DepthGuard guard(*this);
  M3_RETURN_IF_ERROR(guard.Check());
  M3_RETURN_IF_ERROR(runtime_.Spend(1));
  switch (statement.kind) {
    case StatementKind::kData:
      M3_RETURN_IF_ERROR(Emit(*statement.data.AsText()));
      return Flow::kNormal;
    case StatementKind::kOutput:
      M3_RETURN_IF_ERROR(Print(*statement.expr));
      return Flow::kNormal;
    case StatementKind::kIf:
      return ExecuteIf(statement);
    case StatementKind::kFor:
      return ExecuteFor(statement);
    case StatementKind::kSet:
      M3_RETURN_IF_ERROR(ExecuteSet(statement));
      return Flow::kNormal;
    case StatementKind::kSetAttribute:
      M3_RETURN_IF_ERROR(ExecuteSetAttribute(statement));
      return Flow::kNormal;
    case StatementKind::kSetBlock:
      M3_RETURN_IF_ERROR(ExecuteSetBlock(statement));
      return Flow::kNormal;
    case StatementKind::kMacro:
      M3_RETURN_IF_ERROR(DefineMacro(statement));
      return Flow::kNormal;
    case StatementKind::kGeneration: {
      const InnerScope inner(*this, scope_);
      return Execute(statement.body);
    }
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteIf(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    M3_ASSIGN_OR_RETURN(const Value condition, Evaluate(*branch.condition));
    if (IsTrue(condition)) return Execute(branch.body);
  }
  return Execute(statement.otherwise);
}

absl::StatusOr<std::vector<Value>> Interpreter::LoopItems(const Statement& statement) {
  M3_ASSIGN_OR_RETURN(const Value iterable, Evaluate(*statement.expr));
  M3_ASSIGN_OR_RETURN(std::vector<Value> items, Iterate(runtime_, iterable));
  if (statement.condition == nullptr) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    const InnerScope inner(*this, scope_);
    M3_RETURN_IF_ERROR(Unpack(statement.targets, item));
    M3_ASSIGN_OR_RETURN(const Value condition, Evaluate(*statement.condition));
    if (IsTrue(condition)) kept.push_back(std::move(item));
  }
  return kept;
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteFor(const Statement& statement) {
  M3_ASSIGN_OR_RETURN(std::vector<Value> items, LoopItems(statement));
  if (items.empty()) {
    const InnerScope inner(*this, scope_);
    return Execute(statement.otherwise);
  }
  return ExecuteLoopBody(statement, std::move(items));
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteLoopBody(const Statement& statement,
                                                               std::vector<Value> items) {
  auto loop = std::make_shared<LoopState>();
  for (const Value& item : items) loop->depth = std::max(loop->depth, item.Depth() + 1);
  loop->items = std::move(items);
  for (loop->index = 0; loop->index < loop->items.size(); ++loop->index) {
    M3_RETURN_IF_ERROR(runtime_.Spend(1));
    const InnerScope inner(*this, scope_);
    Assign("loop", Value(loop));
    M3_RETURN_IF_ERROR(Unpack(statement.targets, loop->items[loop->index]));
    M3_ASSIGN_OR_RETURN(const Flow flow, Execute(statement.body));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNormal;
}

absl::Status Interpreter::ExecuteSet(const Statement& statement) {
  M3_ASSIGN_OR_RETURN(Value value, Evaluate(*statement.expr));
  return Unpack(statement.targets, std::move(value));
}

absl::Status Interpreter::ExecuteSetAttribute(const Statement& statement) {
  const Value target = Lookup(statement.name);
  Namespace* space = target.AsNamespace();
  if (space == nullptr) {
    return absl::InvalidArgumentError(Concat(
        "only a namespace has attributes that can be set, and '", statement.name, "' is none"));
  }
  M3_ASSIGN_OR_RETURN(Value value, Evaluate(*statement.expr));
  for (auto& [name, old] : space->attributes) {
    if (name == statement.attribute) {
      old = std::move(value);
      return absl::OkStatus();
    }
  }
  space->attributes.emplace_back(statement.attribute, std::move(value));
  return absl::OkStatus();
}

absl::Status Interpreter::ExecuteSetBlock(const Statement& statement) {
  M3_ASSIGN_OR_RETURN(Text text, Capture(statement.body));
  Assign(statement.name, Value::OfString(std::move(text)));
  return absl::OkStatus();
}

absl::StatusOr<Text> Interpreter::Capture(const Block& block) {
  Text captured;
  Text* const outer = std::exchange(out_, &captured);
  const InnerScope inner(*this, scope_);
  const absl::Status status = Execute(block).status();
  out_ = outer;
  if (!status.ok()) return status;
  return captured;
}

absl::Status Interpreter::Print(const Expr& expr) {
  M3_ASSIGN_OR_RETURN(const Value value, Evaluate(expr));
  if (const Text* text = value.AsText()) return Emit(*text);
  M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime_, value));
  return Emit(text);
}

absl::Status Interpreter::Emit(const Text& text) {
  M3_RETURN_IF_ERROR(runtime_.SpendBytes(text.size()));
  if (out_->size() + text.size() > kMaxOutputBytes) {
    return absl::InvalidArgumentError(
        Concat("the rendered text is longer than ", kMaxOutputBytes, " bytes"));
  }
  out_->Append(text);
  return absl::OkStatus();
}

void Interpreter::Assign(std::string_view name, Value value) {
  for (auto& [known, old] : scope_->variables) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  scope_->variables.emplace_back(name, std::move(value));
}

absl::Status Interpreter::Unpack(const Targets& targets, Value value) {
  if (!targets.unpack) {
    Assign(targets.names[0], std::move(value));
    return absl::OkStatus();
  }
  if (value.IsUndefined()) return UndefinedError(value);
  M3_ASSIGN_OR_RETURN(std::vector<Value> parts, Iterate(runtime_, value));
  if (parts.size() != targets.names.size()) {
    return absl::InvalidArgumentError(
        Concat("unpacking ", parts.size(), " values into ", targets.names.size(), " names"));
  }
  for (size_t i = 0; i < parts.size(); ++i) Assign(targets.names[i], std::move(parts[i]));
  return absl::OkStatus();
}

Value Interpreter::Lookup(std::string_view name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& [known, value] : scope->variables) {
      if (known == name) return value;
    }
  }
  if (IsFunction(name)) {
    return Value(std::make_shared<const Callable>(
        Callable{.type = Callable::Type::kFunction, .name = std::string(name)}));
  }
  return Value::OfUndefined(Concat("'", name, "' is undefined"));
}

absl::Status Interpreter::DefineMacro(const Statement& statement) {
  Assign(statement.name,
         Value(std::make_shared<const Callable>(Callable{
             .type = Callable::Type::kMacro, .name = statement.name, .macro = &statement})));
  return absl::OkStatus();
}

absl::StatusOr<Value> Interpreter::CallMacro(const Statement& macro, Arguments arguments) {
  // Macros are defined at the top level only: what they see around them is the root scope.
  const InnerScope inner(*this, &root_);
  M3_RETURN_IF_ERROR(BindParameters(macro, std::move(arguments)));
  M3_ASSIGN_OR_RETURN(Text text, Capture(macro.body));
  return Value::OfString(std::move(text));
}

absl::Status Interpreter::BindParameters(const Statement& macro, Arguments arguments) {
  if (arguments.positional.size() > macro.parameters.size()) {
    return absl::InvalidArgumentError(Concat("the macro '", macro.name, "' takes at most ",
                                             macro.parameters.size(), " arguments"));
  }
  for (const auto& [name, value] : arguments.keyword) {
    const auto found = std::find_if(
        macro.parameters.begin(), macro.parameters.end(),
        [name = std::string_view(name)](const Parameter& p) { return p.name == name; });
    if (found == macro.parameters.end() ||
        found - macro.parameters.begin() < static_cast<int64_t>(arguments.positional.size())) {
      return absl::InvalidArgumentError(
          Concat("the macro '", macro.name, "' has no free parameter named '", name, "'"));
    }
  }
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (i < arguments.positional.size()) {
      Assign(parameter.name, std::move(arguments.positional[i]));
      continue;
    }
    const auto given = std::find_if(arguments.keyword.begin(), arguments.keyword.end(),
                                    [&](const auto& pair) { return pair.first == parameter.name; });
    if (given != arguments.keyword.end()) {
      Assign(parameter.name, std::move(given->second));
    } else if (parameter.default_value != nullptr) {
      M3_ASSIGN_OR_RETURN(Value value, Evaluate(*parameter.default_value));
      Assign(parameter.name, std::move(value));
    } else {
      Assign(parameter.name,
             Value::OfUndefined(Concat("the parameter '", parameter.name, "' was not given")));
    }
  }
  return absl::OkStatus();
}

}  // namespace memory3::jinja
