#include "engine/text/jinja/tests.h"

#include <utility>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

using Predicate = bool (*)(const Value& value);

bool IsDefined(const Value& value) { return !value.IsUndefined(); }
bool IsUndefined(const Value& value) { return value.IsUndefined(); }
bool IsNone(const Value& value) { return value.IsNone(); }
bool IsString(const Value& value) { return value.AsText() != nullptr; }
bool IsMapping(const Value& value) { return value.AsDict() != nullptr; }
bool IsNumber(const Value& value) { return AsNumber(value).has_value(); }
bool IsInteger(const Value& value) { return value.As<int64_t>() != nullptr; }
bool IsFloat(const Value& value) { return value.As<double>() != nullptr; }
bool IsBoolean(const Value& value) { return value.As<bool>() != nullptr; }
bool IsTrueValue(const Value& value) { return IsBoolean(value) && *value.As<bool>(); }
bool IsFalseValue(const Value& value) { return IsBoolean(value) && !*value.As<bool>(); }
bool IsIterableValue(const Value& value) { return IsIterable(value) || value.AsLoop() != nullptr; }
bool IsCallable(const Value& value) {
  return value.AsCallable() != nullptr || value.AsLoop() != nullptr || value.IsUndefined();
}
// As in Jinja2, everything with a length and items: strings, dictionaries and the undefined too.
bool IsSequence(const Value& value) {
  const Sequence* sequence = value.AsSequence();
  if (sequence != nullptr) {
    return sequence->type != Sequence::Type::kGenerator && sequence->type != Sequence::Type::kView;
  }
  return IsIterable(value);
}

struct NamedPredicate {
  std::string_view name;
  Predicate predicate;
};
constexpr NamedPredicate kPredicates[] = {
    {"defined", IsDefined},   {"undefined", IsUndefined}, {"none", IsNone},
    {"string", IsString},     {"mapping", IsMapping},     {"iterable", IsIterableValue},
    {"sequence", IsSequence}, {"number", IsNumber},       {"integer", IsInteger},
    {"float", IsFloat},       {"boolean", IsBoolean},     {"true", IsTrueValue},
    {"false", IsFalseValue},  {"callable", IsCallable},
};

// Names of comparisons and the operators they stand for.
struct NamedComparison {
  std::string_view name;
  std::string_view op;
};
constexpr NamedComparison kComparisons[] = {
    {"equalto", "=="},    {"eq", "=="}, {"ne", "!="}, {"lessthan", "<"}, {"lt", "<"},  {"le", "<="},
    {"greaterthan", ">"}, {"gt", ">"},  {"ge", ">="}, {"in", "in"},      {"==", "=="}, {"!=", "!="},
    {"<", "<"},           {"<=", "<="}, {">", ">"},   {">=", ">="},
};

absl::StatusOr<bool> PredicateTest(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  for (const NamedPredicate& entry : kPredicates) {
    if (entry.name == name) return entry.predicate(input);
  }
  return absl::InternalError("a test without a predicate");
}

absl::StatusOr<bool> ComparisonTest(Runtime& runtime, const Value& input, std::string_view name,
                                    Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"other"}, 1));
  for (const NamedComparison& entry : kComparisons) {
    if (entry.name == name) return CompareWith(runtime, entry.op, input, bound[0]);
  }
  return absl::InternalError("a test without a comparison");
}

absl::StatusOr<bool> RemainderTest(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  const bool by_argument = name == "divisibleby";
  BoundArguments bound;
  if (by_argument) {
    M3_ASSIGN_OR_RETURN(bound, BoundArguments::Bind(name, std::move(arguments), {"num"}, 1));
  } else {
    M3_ASSIGN_OR_RETURN(bound, BoundArguments::Bind(name, std::move(arguments), {}));
  }
  const Value divisor = by_argument ? bound[0] : Value(int64_t{2});
  M3_ASSIGN_OR_RETURN(const Value remainder, Arithmetic(runtime, "%", input, divisor));
  return Equal(runtime, remainder, Value(int64_t{name == "odd"}));
}

absl::StatusOr<bool> CaseTest(Runtime& runtime, const Value& input, std::string_view name,
                              Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  M3_ASSIGN_OR_RETURN(const Text text, ToText(runtime, input));
  return name == "upper" ? IsAllUpper(text.bytes()) : IsAllLower(text.bytes());
}

}  // namespace

Test FindTest(std::string_view name) {
  for (const NamedPredicate& entry : kPredicates) {
    if (entry.name == name) return PredicateTest;
  }
  for (const NamedComparison& entry : kComparisons) {
    if (entry.name == name) return ComparisonTest;
  }
  if (name == "odd" || name == "even" || name == "divisibleby") return RemainderTest;
  if (name == "upper" || name == "lower") return CaseTest;
  return nullptr;
}

}  // namespace memory3::jinja
