#include "engine/text/jinja/operators.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

template <typename T>
int Order(const T& left, const T& right) {
  return left < right ? -1 : right < left ? 1 : 0;
}

// What Python compares and hashes as an object of its own, whatever is in it; the views of a
// dictionary's keys and items it compares by content and does not hash.
bool HasIdentity(const Sequence& sequence) {
  return sequence.type == Sequence::Type::kGenerator ||
         (sequence.type == Sequence::Type::kView && sequence.label == "dict_values");
}

absl::StatusOr<bool> EqualItems(Runtime& runtime, const std::vector<Value>& left,
                                const std::vector<Value>& right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, left[i], right[i]));
    if (!equal) return false;
  }
  return true;
}

absl::StatusOr<bool> EqualDicts(Runtime& runtime, const Dict& left, const Dict& right) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const auto& [key, value] : left.entries) {
    bool found = false;
    for (const auto& [other_key, other_value] : right.entries) {
      M3_ASSIGN_OR_RETURN(const bool same_key, Equal(runtime, key, other_key));
      if (!same_key) continue;
      M3_ASSIGN_OR_RETURN(found, Equal(runtime, value, other_value));
      break;
    }
    if (!found) return false;
  }
  return true;
}

bool SameObject(const Value& left, const Value& right) {
  return (left.AsNamespace() != nullptr && left.AsNamespace() == right.AsNamespace()) ||
         (left.AsLoop() != nullptr && left.AsLoop() == right.AsLoop()) ||
         (left.AsCallable() != nullptr && left.AsCallable() == right.AsCallable());
}

bool IsListOrTuple(const Value& value) {
  const Sequence* sequence = value.AsSequence();
  return sequence != nullptr &&
         (sequence->type == Sequence::Type::kList || sequence->type == Sequence::Type::kTuple);
}

absl::StatusOr<std::vector<Value>> Characters(Runtime& runtime, const Text& text) {
  // A character costs a string of its own.
  M3_RETURN_IF_ERROR(runtime.SpendItems(4 * text.size()));
  std::vector<Value> characters;
  for (size_t i = 0; i < text.size();) {
    const size_t length = DecodeAt(text.bytes(), i).length;
    characters.push_back(Value::OfString(text.Substring(i, i + length)));
    i += length;
  }
  return characters;
}

}  // namespace

absl::Status UndefinedError(const Value& value) {
  return absl::InvalidArgumentError(*value.As<Undefined>()->reason);
}

absl::Status TypeError(std::string_view operation, const Value& value) {
  if (value.IsUndefined()) return UndefinedError(value);
  return absl::InvalidArgumentError(
      Concat(operation, " is not possible with a value of type ", value.TypeName()));
}

bool IsTrue(const Value& value) {
  if (value.IsUndefined() || value.IsNone()) return false;
  if (const bool* flag = value.As<bool>()) return *flag;
  if (const int64_t* number = value.As<int64_t>()) return *number != 0;
  if (const double* number = value.As<double>()) return *number != 0;
  if (const Text* text = value.AsText()) return !text->empty();
  if (const Sequence* sequence = value.AsSequence()) {
    return sequence->type == Sequence::Type::kGenerator || !sequence->items.empty();
  }
  if (const Dict* dict = value.AsDict()) return !dict->entries.empty();
  return true;
}

std::optional<int64_t> AsInteger(const Value& value) {
  if (const bool* flag = value.As<bool>()) return *flag ? 1 : 0;
  if (const int64_t* number = value.As<int64_t>()) return *number;
  return std::nullopt;
}

std::optional<double> AsNumber(const Value& value) {
  if (const double* number = value.As<double>()) return *number;
  if (const std::optional<int64_t> integer = AsInteger(value)) return static_cast<double>(*integer);
  return std::nullopt;
}

absl::StatusOr<bool> Equal(Runtime& runtime, const Value& left, const Value& right) {
  M3_RETURN_IF_ERROR(runtime.Spend(1));
  if (AsInteger(left).has_value() && AsInteger(right).has_value()) {
    return *AsInteger(left) == *AsInteger(right);
  }
  if (AsNumber(left).has_value() && AsNumber(right).has_value()) {
    return *AsNumber(left) == *AsNumber(right);
  }
  if (left.data().index() != right.data().index()) return false;
  if (left.IsUndefined() || left.IsNone()) return true;
  if (const Text* text = left.AsText()) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(std::min(text->size(), right.AsText()->size())));
    return text->bytes() == right.AsText()->bytes();
  }
  if (const Sequence* sequence = left.AsSequence()) {
    const Sequence* other = right.AsSequence();
    if (sequence == other) return true;
    if (sequence->type != other->type || HasIdentity(*sequence) || HasIdentity(*other))
      return false;
    return EqualItems(runtime, sequence->items, other->items);
  }
  if (const Dict* dict = left.AsDict()) return EqualDicts(runtime, *dict, *right.AsDict());
  return SameObject(left, right);
}

absl::StatusOr<int> Compare(Runtime& runtime, const Value& left, const Value& right) {
  M3_RETURN_IF_ERROR(runtime.Spend(1));
  if (AsInteger(left).has_value() && AsInteger(right).has_value()) {
    return Order(*AsInteger(left), *AsInteger(right));
  }
  if (AsNumber(left).has_value() && AsNumber(right).has_value()) {
    return Order(*AsNumber(left), *AsNumber(right));
  }
  const Text* text = left.AsText();
  const Text* other_text = right.AsText();
  if (text != nullptr && other_text != nullptr) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(std::min(text->size(), other_text->size())));
    // The order of UTF-8 bytes is the order of code points.
    return text->bytes().compare(other_text->bytes());
  }
  if (IsListOrTuple(left) && IsListOrTuple(right) &&
      left.AsSequence()->type == right.AsSequence()->type) {
    const std::vector<Value>& items = left.AsSequence()->items;
    const std::vector<Value>& other = right.AsSequence()->items;
    for (size_t i = 0; i < std::min(items.size(), other.size()); ++i) {
      M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, items[i], other[i]));
      if (!equal) return Compare(runtime, items[i], other[i]);
    }
    return Order(items.size(), other.size());
  }
  if (left.IsUndefined()) return UndefinedError(left);
  if (right.IsUndefined()) return UndefinedError(right);
  return absl::InvalidArgumentError(
      Concat("values of types ", left.TypeName(), " and ", right.TypeName(), " have no order"));
}

absl::StatusOr<bool> CompareWith(Runtime& runtime, std::string_view op, const Value& left,
                                 const Value& right) {
  if (op == "in") return Contains(runtime, right, left);
  if (op == "not in") {
    M3_ASSIGN_OR_RETURN(const bool contains, Contains(runtime, right, left));
    return !contains;
  }
  if (op == "==" || op == "!=") {
    M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, left, right));
    return equal == (op == "==");
  }
  M3_ASSIGN_OR_RETURN(const int order, Compare(runtime, left, right));
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

absl::StatusOr<bool> Contains(Runtime& runtime, const Value& container, const Value& item) {
  if (const Text* text = container.AsText()) {
    if (item.AsText() == nullptr) return TypeError("'in' a string", item);
    M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size()));
    return text->bytes().find(item.AsText()->bytes()) != std::string::npos;
  }
  if (container.IsUndefined()) return false;
  if (container.AsDict() != nullptr && !IsHashable(item)) {
    return TypeError("looking up a key", item);
  }
  M3_ASSIGN_OR_RETURN(const std::vector<Value> items, Iterate(runtime, container));
  for (const Value& candidate : items) {
    M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, candidate, item));
    if (equal) return true;
  }
  return false;
}

bool IsHashable(const Value& value) {
  if (value.AsDict() != nullptr) return false;
  const Sequence* sequence = value.AsSequence();
  if (sequence == nullptr || sequence->type == Sequence::Type::kRange) return true;
  return HasIdentity(*sequence) ||
         (sequence->type == Sequence::Type::kTuple &&
          std::all_of(sequence->items.begin(), sequence->items.end(), IsHashable));
}

bool IsIterable(const Value& value) {
  return value.IsUndefined() || value.AsText() != nullptr || value.AsSequence() != nullptr ||
         value.AsDict() != nullptr;
}

absl::StatusOr<std::vector<Value>> Iterate(Runtime& runtime, const Value& value) {
  if (value.IsUndefined()) return std::vector<Value>();
  if (const Text* text = value.AsText()) return Characters(runtime, *text);
  if (const Dict* dict = value.AsDict()) {
    M3_RETURN_IF_ERROR(runtime.SpendItems(dict->entries.size()));
    std::vector<Value> keys;
    for (const auto& [key, unused] : dict->entries) keys.push_back(key);
    return keys;
  }
  if (Sequence* sequence = value.AsSequence()) {
    M3_RETURN_IF_ERROR(runtime.SpendItems(sequence->items.size() - sequence->consumed));
    std::vector<Value> items(sequence->items.begin() + static_cast<int64_t>(sequence->consumed),
                             sequence->items.end());
    if (sequence->type == Sequence::Type::kGenerator) sequence->consumed = sequence->items.size();
    return items;
  }
  return TypeError("iterating", value);
}

absl::StatusOr<int64_t> Length(const Value& value) {
  if (value.IsUndefined()) return 0;
  if (const Text* text = value.AsText()) {
    return static_cast<int64_t>(CountCodePoints(text->bytes()));
  }
  if (const Dict* dict = value.AsDict()) return static_cast<int64_t>(dict->entries.size());
  const Sequence* sequence = value.AsSequence();
  if (sequence != nullptr && sequence->type != Sequence::Type::kGenerator) {
    return static_cast<int64_t>(sequence->items.size());
  }
  if (const LoopState* loop = value.AsLoop()) return static_cast<int64_t>(loop->items.size());
  return TypeError("taking the length", value);
}

}  // namespace memory3::jinja
