// Filters that take sequences apart or make them.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/access.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/sorting.h"
#include "engine/text/jinja/string_operations.h"
#include "engine/text/jinja/tests.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

// What sorting and uniqueness look at: strings without their case, unless asked otherwise.
absl::StatusOr<Value> SortKey(Runtime& runtime, const Value& item, const Value& attribute,
                              bool case_sensitive) {
  Value key = item;
  if (!attribute.IsNone()) {
    M3_ASSIGN_OR_RETURN(key, GetPath(runtime, item, attribute));
  }
  if (case_sensitive || key.AsText() == nullptr) return key;
  return runtime.NewString(MapCase(*key.AsText(), Case::kLower));
}

// Sorting looks at a list of keys, one per attribute ("name,age"), even when it is only one: equal
// keys then need no order of their own.
absl::StatusOr<Value> SortKeys(Runtime& runtime, const Value& item, const Value& attribute,
                               bool case_sensitive) {
  std::vector<Value> attributes;
  if (const Text* path = attribute.AsText()) {
    const Text comma(",", Origin::kTemplate);
    M3_ASSIGN_OR_RETURN(attributes, Split(runtime, *path, &comma, -1));
  } else {
    attributes.push_back(attribute);
  }
  std::vector<Value> keys;
  for (const Value& part : attributes) {
    M3_ASSIGN_OR_RETURN(Value key, SortKey(runtime, item, part, case_sensitive));
    keys.push_back(std::move(key));
  }
  return runtime.NewSequence(Sequence::Type::kList, std::move(keys));
}

absl::StatusOr<Value> JoinFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind(name, std::move(arguments), {"d", "attribute"}));
  M3_ASSIGN_OR_RETURN(std::vector<Value> parts, Iterate(runtime, input));
  if (bound.Has(1) && !bound[1].IsNone()) {
    for (Value& part : parts) {
      M3_ASSIGN_OR_RETURN(part, GetPath(runtime, std::move(part), bound[1]));
    }
  }
  Text separator;
  if (bound.Has(0)) {
    M3_ASSIGN_OR_RETURN(const Value text, FindFilter("string")(runtime, bound[0], "string", {}));
    separator = *text.AsText();
  }
  M3_ASSIGN_OR_RETURN(Text text, Join(runtime, separator, parts));
  return Value::OfString(std::move(text));
}

absl::StatusOr<Value> FirstFilter(Runtime& runtime, const Value& input, std::string_view name,
                                  Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  Sequence* sequence = input.AsSequence();
  if (sequence != nullptr && sequence->type == Sequence::Type::kGenerator &&
      sequence->consumed < sequence->items.size()) {
    return sequence->items[sequence->consumed++];
  }
  M3_ASSIGN_OR_RETURN(const std::vector<Value> items, Iterate(runtime, input));
  if (items.empty()) return Value::OfUndefined("the first item of an empty sequence is undefined");
  return items.front();
}

absl::StatusOr<Value> LastFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  const Sequence* sequence = input.AsSequence();
  if (sequence != nullptr && sequence->type == Sequence::Type::kGenerator) {
    return TypeError(name, input);
  }
  M3_ASSIGN_OR_RETURN(const std::vector<Value> items, Iterate(runtime, input));
  if (items.empty()) return Value::OfUndefined("the last item of an empty sequence is undefined");
  return items.back();
}

absl::StatusOr<Value> ListFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  M3_ASSIGN_OR_RETURN(std::vector<Value> items, Iterate(runtime, input));
  return runtime.NewSequence(Sequence::Type::kList, std::move(items));
}

absl::StatusOr<Value> ReverseFilter(Runtime& runtime, const Value& input, std::string_view name,
                                    Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  if (input.AsText() != nullptr) {
    return Slice(runtime, input, Value(), Value(), Value(int64_t{-1}));
  }
  M3_ASSIGN_OR_RETURN(std::vector<Value> items, Iterate(runtime, input));
  std::reverse(items.begin(), items.end());
  const Sequence* sequence = input.AsSequence();
  const bool generator = sequence != nullptr && sequence->type == Sequence::Type::kGenerator;
  return runtime.NewSequence(generator ? Sequence::Type::kList : Sequence::Type::kGenerator,
                             std::move(items));
}

absl::StatusOr<Value> SortFilter(Runtime& runtime, const Value& input, std::string_view name,
                                 Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind(name, std::move(arguments), {"reverse", "case_sensitive", "attribute"}));
  M3_ASSIGN_OR_RETURN(const std::vector<Value> items, Iterate(runtime, input));
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) {
    M3_ASSIGN_OR_RETURN(Value key,
                        SortKeys(runtime, item, bound.GetOr(2, Value()), bound.GetBool(1, false)));
    keyed.emplace_back(std::move(key), item);
  }
  M3_RETURN_IF_ERROR(SortBy(runtime, keyed, bound.GetBool(0, false),
                            [](const auto& entry) { return entry.first; }));
  std::vector<Value> sorted;
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return runtime.NewSequence(Sequence::Type::kList, std::move(sorted));
}

absl::StatusOr<Value> DictSortFilter(Runtime& runtime, const Value& input, std::string_view name,
                                     Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind(name, std::move(arguments), {"case_sensitive", "by", "reverse"}));
  const Dict* dict = input.AsDict();
  if (dict == nullptr) return TypeError(name, input);
  bool by_value = false;
  if (bound.Has(1)) {
    M3_ASSIGN_OR_RETURN(const Text* by, bound.GetText(1));
    by_value = by != nullptr && by->bytes() == "value";
    if (by == nullptr || (!by_value && by->bytes() != "key")) {
      return absl::InvalidArgumentError("dictsort: by is either \"key\" or \"value\"");
    }
  }
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : dict->entries) {
    M3_ASSIGN_OR_RETURN(Value pair, runtime.NewSequence(Sequence::Type::kTuple, {key, value}));
    M3_ASSIGN_OR_RETURN(Value sort_key,
                        SortKey(runtime, by_value ? value : key, Value(), bound.GetBool(0, false)));
    keyed.emplace_back(std::move(sort_key), std::move(pair));
  }
  M3_RETURN_IF_ERROR(SortBy(runtime, keyed, bound.GetBool(2, false),
                            [](const auto& entry) { return entry.first; }));
  std::vector<Value> sorted;
  for (auto& [key, pair] : keyed) sorted.push_back(std::move(pair));
  return runtime.NewSequence(Sequence::Type::kList, std::move(sorted));
}

absl::StatusOr<Value> UniqueFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind(name, std::move(arguments), {"case_sensitive", "attribute"}));
  M3_ASSIGN_OR_RETURN(const std::vector<Value> items, Iterate(runtime, input));
  std::vector<Value> keys;
  std::vector<Value> unique;
  for (const Value& item : items) {
    M3_ASSIGN_OR_RETURN(Value key,
                        SortKey(runtime, item, bound.GetOr(1, Value()), bound.GetBool(0, false)));
    if (!IsHashable(key)) return TypeError(name, key);
    bool seen = false;
    for (size_t i = 0; i < keys.size() && !seen; ++i) {
      M3_ASSIGN_OR_RETURN(seen, Equal(runtime, keys[i], key));
    }
    if (seen) continue;
    keys.push_back(std::move(key));
    unique.push_back(item);
  }
  return runtime.NewSequence(Sequence::Type::kGenerator, std::move(unique));
}

absl::StatusOr<Value> ItemsFilter(Runtime& runtime, const Value& input, std::string_view name,
                                  Arguments arguments) {
  M3_RETURN_IF_ERROR(BoundArguments::Bind(name, std::move(arguments), {}).status());
  std::vector<Value> pairs;
  if (!input.IsUndefined()) {
    const Dict* dict = input.AsDict();
    if (dict == nullptr) return TypeError(name, input);
    for (const auto& [key, value] : dict->entries) {
      M3_ASSIGN_OR_RETURN(Value pair, runtime.NewSequence(Sequence::Type::kTuple, {key, value}));
      pairs.push_back(std::move(pair));
    }
  }
  return runtime.NewSequence(Sequence::Type::kGenerator, std::move(pairs));
}

// map(attribute="path", default=...) or map("filter", arguments of the filter).
absl::StatusOr<Value> MapFilter(Runtime& runtime, const Value& input, std::string_view name,
                                Arguments arguments) {
  // As in Jinja2, an input that is false has no items, iterable or not.
  std::vector<Value> items;
  if (IsTrue(input)) {
    M3_ASSIGN_OR_RETURN(items, Iterate(runtime, input));
  }
  if (arguments.positional.empty()) {
    M3_ASSIGN_OR_RETURN(
        const BoundArguments bound,
        BoundArguments::Bind(name, std::move(arguments), {"attribute", "default"}, 1));
    for (Value& item : items) {
      M3_ASSIGN_OR_RETURN(item, GetPath(runtime, std::move(item), bound[0]));
      if (item.IsUndefined() && bound.Has(1) && !bound[1].IsNone()) item = bound[1];
    }
    return runtime.NewSequence(Sequence::Type::kGenerator, std::move(items));
  }
  const Text* operation = arguments.positional[0].AsText();
  const Filter filter = operation == nullptr ? nullptr : FindFilter(operation->bytes());
  if (filter == nullptr) return absl::InvalidArgumentError("map needs the name of a filter");
  const std::string filter_name = operation->bytes();
  arguments.positional.erase(arguments.positional.begin());
  for (Value& item : items) {
    M3_RETURN_IF_ERROR(runtime.Spend(1));
    M3_ASSIGN_OR_RETURN(item, filter(runtime, item, filter_name, arguments));
  }
  return runtime.NewSequence(Sequence::Type::kGenerator, std::move(items));
}

// select, reject, selectattr and rejectattr: ([attribute,] [test [, its arguments]]).
absl::StatusOr<Value> SelectFilter(Runtime& runtime, const Value& input, std::string_view name,
                                   Arguments arguments) {
  const bool by_attribute = name == "selectattr" || name == "rejectattr";
  const bool wanted = name == "select" || name == "selectattr";
  std::vector<Value>& positional = arguments.positional;
  Value attribute;
  if (by_attribute) {
    if (positional.empty()) {
      return absl::InvalidArgumentError(Concat(name, " needs the name of an attribute"));
    }
    attribute = positional[0];
    positional.erase(positional.begin());
  }
  Test test = nullptr;
  std::string test_name;
  if (!positional.empty()) {
    const Text* operation = positional[0].AsText();
    test = operation == nullptr ? nullptr : FindTest(operation->bytes());
    if (test == nullptr) {
      return absl::InvalidArgumentError(Concat(name, " needs the name of a test"));
    }
    test_name = operation->bytes();
    positional.erase(positional.begin());
  }
  std::vector<Value> items;
  if (IsTrue(input)) {
    M3_ASSIGN_OR_RETURN(items, Iterate(runtime, input));
  }
  std::vector<Value> selected;
  for (const Value& item : items) {
    M3_RETURN_IF_ERROR(runtime.Spend(1));
    Value tested = item;
    if (by_attribute) {
      M3_ASSIGN_OR_RETURN(tested, GetPath(runtime, item, attribute));
    }
    bool passes = IsTrue(tested);
    if (test != nullptr) {
      M3_ASSIGN_OR_RETURN(passes, test(runtime, tested, test_name, arguments));
    }
    if (passes == wanted) selected.push_back(item);
  }
  return runtime.NewSequence(Sequence::Type::kGenerator, std::move(selected));
}

}  // namespace

Filter FindSequenceFilter(std::string_view name) {
  if (name == "join") return JoinFilter;
  if (name == "first") return FirstFilter;
  if (name == "last") return LastFilter;
  if (name == "list") return ListFilter;
  if (name == "reverse") return ReverseFilter;
  if (name == "sort") return SortFilter;
  if (name == "dictsort") return DictSortFilter;
  if (name == "unique") return UniqueFilter;
  if (name == "items") return ItemsFilter;
  if (name == "map") return MapFilter;
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    return SelectFilter;
  }
  return nullptr;
}

}  // namespace memory3::jinja
