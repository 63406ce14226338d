// Python's operators on template values.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_OPERATORS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_OPERATORS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

bool IsTrue(const Value& value);
// The value of an int or a bool.
std::optional<int64_t> AsInteger(const Value& value);
// The value of an int, a bool or a float.
std::optional<double> AsNumber(const Value& value);

absl::StatusOr<bool> Equal(Runtime& runtime, const Value& left, const Value& right);
// Negative, zero or positive; an error when the kinds have no order.
absl::StatusOr<int> Compare(Runtime& runtime, const Value& left, const Value& right);
// `op` is one of == != < <= > >= in, "not in".
absl::StatusOr<bool> CompareWith(Runtime& runtime, std::string_view op, const Value& left,
                                 const Value& right);
absl::StatusOr<bool> Contains(Runtime& runtime, const Value& container, const Value& item);

// `op` is one of + - * / // % **.
absl::StatusOr<Value> Arithmetic(Runtime& runtime, std::string_view op, const Value& left,
                                 const Value& right);
absl::StatusOr<Value> Negate(const Value& value);

// What a for loop visits: items, characters, keys. A generator is used up.
absl::StatusOr<std::vector<Value>> Iterate(Runtime& runtime, const Value& value);
// May be a key of a dictionary.
bool IsHashable(const Value& value);
bool IsIterable(const Value& value);
absl::StatusOr<int64_t> Length(const Value& value);

// The error of using an undefined value, or of an operation on the wrong kind.
absl::Status UndefinedError(const Value& value);
absl::Status TypeError(std::string_view operation, const Value& value);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_OPERATORS_H_
