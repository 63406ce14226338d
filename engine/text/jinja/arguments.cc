#include "engine/text/jinja/arguments.h"

#include <algorithm>

#include "absl/status/status.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/operators.h"

namespace memory3::jinja {

absl::StatusOr<BoundArguments> BoundArguments::Bind(
    std::string_view callee, Arguments arguments,
    std::initializer_list<std::string_view> parameters, size_t required) {
  BoundArguments bound;
  bound.callee_ = callee;
  bound.parameters_.assign(parameters.begin(), parameters.end());
  bound.values_.resize(parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    return absl::InvalidArgumentError(Concat(callee, " takes at most ", parameters.size(),
                                             " arguments, ", arguments.positional.size(),
                                             " given"));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    bound.values_[i] = std::move(arguments.positional[i]);
  }
  for (auto& [name, value] : arguments.keyword) {
    const auto found = std::find(bound.parameters_.begin(), bound.parameters_.end(), name);
    if (found == bound.parameters_.end()) {
      return absl::InvalidArgumentError(Concat(callee, " has no argument named '", name, "'"));
    }
    std::optional<Value>& slot = bound.values_[found - bound.parameters_.begin()];
    if (slot.has_value()) {
      return absl::InvalidArgumentError(Concat(callee, " got its argument '", name, "' twice"));
    }
    slot = std::move(value);
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound.Has(i)) {
      return absl::InvalidArgumentError(
          Concat(callee, " needs its argument '", bound.parameters_[i], "'"));
    }
  }
  return bound;
}

bool BoundArguments::GetBool(size_t index, bool fallback) const {
  return Has(index) ? IsTrue(*values_[index]) : fallback;
}

absl::StatusOr<int64_t> BoundArguments::GetInt(size_t index, int64_t fallback) const {
  if (!Has(index)) return fallback;
  if (const std::optional<int64_t> value = AsInteger(*values_[index])) return *value;
  return absl::InvalidArgumentError(Concat(callee_, " needs a number as its argument '",
                                           parameters_[index], "', not ",
                                           values_[index]->TypeName()));
}

absl::StatusOr<const Text*> BoundArguments::GetText(size_t index) const {
  if (!Has(index) || values_[index]->IsNone()) return nullptr;
  if (const Text* text = values_[index]->AsText()) return text;
  return absl::InvalidArgumentError(Concat(callee_, " needs a string as its argument '",
                                           parameters_[index], "', not ",
                                           values_[index]->TypeName()));
}

}  // namespace memory3::jinja
