#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/operators.h"

namespace memory3::jinja {
namespace {

absl::Status OverflowError() { return absl::InvalidArgumentError("a whole number overflows"); }
absl::Status DivisionByZero() { return absl::InvalidArgumentError("division by zero"); }

absl::StatusOr<Value> FloorDivide(int64_t left, int64_t right) {
  if (right == 0) return DivisionByZero();
  if (left == INT64_MIN && right == -1) return OverflowError();
  const int64_t quotient = left / right;
  return Value(left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient);
}

// Python's remainder has the sign of the divisor.
absl::StatusOr<Value> Modulo(int64_t left, int64_t right) {
  if (right == 0) return DivisionByZero();
  if (right == -1) return Value(int64_t{0});
  const int64_t remainder = left % right;
  return Value(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder);
}

absl::StatusOr<Value> Power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return DivisionByZero();
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
      return OverflowError();
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return OverflowError();
  }
  return Value(result);
}

absl::StatusOr<Value> IntegerArithmetic(std::string_view op, int64_t left, int64_t right) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(left, right, &result);
  } else if (op == "//") {
    return FloorDivide(left, right);
  } else if (op == "%") {
    return Modulo(left, right);
  } else if (op == "**") {
    return Power(left, right);
  } else {
    if (right == 0) return DivisionByZero();
    return Value(static_cast<double>(left) / static_cast<double>(right));
  }
  if (overflow) return OverflowError();
  return Value(result);
}

absl::StatusOr<Value> RealArithmetic(std::string_view op, double left, double right) {
  if (op == "+") return Value(left + right);
  if (op == "-") return Value(left - right);
  if (op == "*") return Value(left * right);
  if (op == "**") {
    if (left == 0 && right < 0) return DivisionByZero();
    if (left < 0 && std::floor(right) != right) {
      return absl::InvalidArgumentError("complex numbers are not supported");
    }
    return Value(std::pow(left, right));
  }
  if (right == 0) return DivisionByZero();
  if (op == "/") return Value(left / right);
  double remainder = std::fmod(left, right);
  if (remainder != 0 && (remainder < 0) != (right < 0)) remainder += right;
  if (op == "%") return Value(remainder == 0 ? std::copysign(0.0, right) : remainder);
  const double quotient = (left - remainder) / right;
  double floored = std::floor(quotient);
  if (quotient - floored > 0.5) floored += 1;
  return Value(quotient == 0 ? std::copysign(0.0, left / right) : floored);
}

absl::StatusOr<Value> Repeat(Runtime& runtime, const Value& value, int64_t times) {
  times = std::max<int64_t>(times, 0);
  const Text* text = value.AsText();
  const size_t unit = text != nullptr ? text->size() : value.AsSequence()->items.size();
  if (unit > 0 && times > kMaxRenderWork * 16 / static_cast<int64_t>(unit)) {
    return absl::InvalidArgumentError("a repetition is too long");
  }
  const size_t total = unit * static_cast<size_t>(unit > 0 ? times : 0);
  if (text != nullptr) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(total));
    Text result;
    while (result.size() < total) result.Append(*text);
    return Value::OfString(std::move(result));
  }
  M3_RETURN_IF_ERROR(runtime.SpendItems(total));
  std::vector<Value> items;
  const std::vector<Value>& source = value.AsSequence()->items;
  while (items.size() < total) items.insert(items.end(), source.begin(), source.end());
  return runtime.NewSequence(value.AsSequence()->type, std::move(items));
}

bool IsRepeatable(const Value& value) {
  const Sequence* sequence = value.AsSequence();
  return value.AsText() != nullptr ||
         (sequence != nullptr &&
          (sequence->type == Sequence::Type::kList || sequence->type == Sequence::Type::kTuple));
}

absl::StatusOr<Value> Add(Runtime& runtime, const Value& left, const Value& right) {
  if (const Text* text = left.AsText()) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size() + right.AsText()->size()));
    Text sum = *text;
    sum.Append(*right.AsText());
    return Value::OfString(std::move(sum));
  }
  M3_RETURN_IF_ERROR(runtime.SpendItems(left.AsSequence()->items.size()));
  std::vector<Value> items = left.AsSequence()->items;
  const std::vector<Value>& more = right.AsSequence()->items;
  items.insert(items.end(), more.begin(), more.end());
  return runtime.NewSequence(left.AsSequence()->type, std::move(items));
}

}  // namespace

absl::StatusOr<Value> Arithmetic(Runtime& runtime, std::string_view op, const Value& left,
                                 const Value& right) {
  if (op == "%" && left.AsText() != nullptr) {
    return absl::InvalidArgumentError("formatting a string with % is not supported");
  }
  if (left.IsUndefined()) return UndefinedError(left);
  if (right.IsUndefined()) return UndefinedError(right);
  if (AsInteger(left).has_value() && AsInteger(right).has_value()) {
    return IntegerArithmetic(op, *AsInteger(left), *AsInteger(right));
  }
  if (AsNumber(left).has_value() && AsNumber(right).has_value()) {
    return RealArithmetic(op, *AsNumber(left), *AsNumber(right));
  }
  if (op == "+" && IsRepeatable(left) && left.TypeName() == right.TypeName()) {
    return Add(runtime, left, right);
  }
  if (op == "*" && IsRepeatable(left) && AsInteger(right).has_value()) {
    return Repeat(runtime, left, *AsInteger(right));
  }
  if (op == "*" && IsRepeatable(right) && AsInteger(left).has_value()) {
    return Repeat(runtime, right, *AsInteger(left));
  }
  return absl::InvalidArgumentError(Concat("the operator ", op,
                                           " is not possible between values of types ",
                                           left.TypeName(), " and ", right.TypeName()));
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (const double* number = value.As<double>()) return Value(-*number);
  if (const std::optional<int64_t> number = AsInteger(value)) {
    if (*number == INT64_MIN) return OverflowError();
    return Value(-*number);
  }
  return TypeError("negation", value);
}

}  // namespace memory3::jinja
