// Arguments of a call, and their binding to parameter names.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_ARGUMENTS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_ARGUMENTS_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

// Arguments in the order of the callee's parameters; absent ones are empty.
class BoundArguments {
 public:
  // The first `required` parameters must be given. Errors name `callee`.
  static absl::StatusOr<BoundArguments> Bind(std::string_view callee, Arguments arguments,
                                             std::initializer_list<std::string_view> parameters,
                                             size_t required = 0);

  bool Has(size_t index) const { return values_[index].has_value(); }
  // Precondition: Has(index).
  const Value& operator[](size_t index) const { return *values_[index]; }
  Value GetOr(size_t index, Value fallback) const {
    return Has(index) ? *values_[index] : std::move(fallback);
  }
  // Python's truth of the argument.
  bool GetBool(size_t index, bool fallback) const;
  absl::StatusOr<int64_t> GetInt(size_t index, int64_t fallback) const;
  // Null when absent or None.
  absl::StatusOr<const Text*> GetText(size_t index) const;

 private:
  std::string callee_;
  std::vector<std::string> parameters_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_ARGUMENTS_H_
