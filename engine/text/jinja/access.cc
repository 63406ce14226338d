#include "engine/text/jinja/access.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/loop.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

Value Missing(const Value& object, std::string_view name) {
  return Value::OfUndefined(
      Concat("a value of type ", object.TypeName(), " has no attribute '", name, "'"));
}

// What Python would find as an attribute; nullopt when there is none.
absl::StatusOr<std::optional<Value>> FindAttribute(const Value& object, std::string_view name) {
  if (HasMethod(object, name)) {
    return std::optional<Value>(Value(std::make_shared<const Callable>(
        Callable{.type = Callable::Type::kMethod, .name = std::string(name), .self = object})));
  }
  if (IsUnsupportedMethod(object, name)) {
    return absl::InvalidArgumentError(Concat("the method .", name, " of a value of type ",
                                             object.TypeName(), " is not supported"));
  }
  if (const Namespace* space = object.AsNamespace()) {
    for (const auto& [attribute, value] : space->attributes) {
      if (attribute == name) return std::optional<Value>(value);
    }
  }
  if (const LoopState* loop = object.AsLoop()) return LoopAttribute(*loop, name);
  return std::optional<Value>();
}

// The element at a position that may count from the end; nullopt when it is out of range or the
// object has no positions.
absl::StatusOr<std::optional<Value>> FindElement(Runtime& runtime, const Value& object,
                                                 int64_t index) {
  if (const Text* text = object.AsText()) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size() * 8));
    const std::vector<size_t> offsets = CodePointOffsets(text->bytes());
    const auto size = static_cast<int64_t>(offsets.size()) - 1;
    if (index < 0) index += size;
    if (index < 0 || index >= size) return std::optional<Value>();
    return std::optional<Value>(
        Value::OfString(text->Substring(offsets[index], offsets[index + 1])));
  }
  const Sequence* sequence = object.AsSequence();
  if (sequence == nullptr || sequence->type == Sequence::Type::kGenerator ||
      sequence->type == Sequence::Type::kView) {
    return std::optional<Value>();
  }
  const auto size = static_cast<int64_t>(sequence->items.size());
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::optional<Value>();
  return std::optional<Value>(sequence->items[index]);
}

struct SliceBounds {
  int64_t begin;
  int64_t step;
  int64_t count;
};

// Nothing for None.
std::optional<int64_t> SliceIndex(const Value& value) {
  const std::optional<int64_t> index = AsInteger(value);
  if (!index.has_value()) return std::nullopt;
  // Far beyond any length, and safe from overflow below.
  constexpr int64_t kBound = int64_t{1} << 40;
  return std::clamp(*index, -kBound, kBound);
}

absl::StatusOr<SliceBounds> ResolveSlice(int64_t size, const Value& begin, const Value& end,
                                         const Value& step) {
  const std::optional<int64_t> first = SliceIndex(begin);
  const std::optional<int64_t> last = SliceIndex(end);
  const std::optional<int64_t> stride = SliceIndex(step);
  const int64_t s = stride.value_or(1);
  if (s == 0) return absl::InvalidArgumentError("a slice's step is zero");
  const int64_t low = s > 0 ? 0 : -1;
  const int64_t high = s > 0 ? size : size - 1;
  const auto resolve = [&](const std::optional<int64_t>& index, int64_t absent) {
    if (!index.has_value()) return absent;
    return std::clamp(*index < 0 ? *index + size : *index, low, high);
  };
  const int64_t from = resolve(first, s > 0 ? low : high);
  const int64_t to = resolve(last, s > 0 ? high : low);
  const int64_t span = s > 0 ? to - from : from - to;
  const int64_t stride_size = s > 0 ? s : -s;
  return SliceBounds{from, s, span <= 0 ? 0 : (span + stride_size - 1) / stride_size};
}

}  // namespace

absl::StatusOr<const Value*> FindEntry(Runtime& runtime, const Dict& dict, const Value& key) {
  for (const auto& [candidate, value] : dict.entries) {
    M3_ASSIGN_OR_RETURN(const bool equal, Equal(runtime, candidate, key));
    if (equal) return &value;
  }
  return nullptr;
}

absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.IsUndefined()) return UndefinedError(object);
  M3_ASSIGN_OR_RETURN(std::optional<Value> attribute, FindAttribute(object, name));
  if (attribute.has_value()) return *std::move(attribute);
  if (const Dict* dict = object.AsDict()) {
    M3_ASSIGN_OR_RETURN(const Value* entry,
                        FindEntry(runtime, *dict, Value::OfTemplateString(name)));
    if (entry != nullptr) return *entry;
  }
  return Missing(object, name);
}

absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& object, const Value& key) {
  if (object.IsUndefined()) return UndefinedError(object);
  if (const Dict* dict = object.AsDict(); dict != nullptr && IsHashable(key)) {
    M3_ASSIGN_OR_RETURN(const Value* entry, FindEntry(runtime, *dict, key));
    if (entry != nullptr) return *entry;
  }
  if (const std::optional<int64_t> index = AsInteger(key)) {
    M3_ASSIGN_OR_RETURN(std::optional<Value> element, FindElement(runtime, object, *index));
    if (element.has_value()) return *std::move(element);
    return Missing(object, Concat(*index));
  }
  if (const Text* name = key.AsText()) {
    M3_ASSIGN_OR_RETURN(std::optional<Value> attribute, FindAttribute(object, name->bytes()));
    if (attribute.has_value()) return *std::move(attribute);
    return Missing(object, name->bytes());
  }
  return Missing(object, key.TypeName());
}

absl::StatusOr<Value> Slice(Runtime& runtime, const Value& object, const Value& begin,
                            const Value& end, const Value& step) {
  for (const Value& bound : {begin, end, step}) {
    if (!bound.IsNone() && !AsInteger(bound).has_value()) return TypeError("slicing by", bound);
  }
  if (const Text* text = object.AsText()) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(text->size() * 8));
    const std::vector<size_t> offsets = CodePointOffsets(text->bytes());
    M3_ASSIGN_OR_RETURN(const SliceBounds bounds,
                        ResolveSlice(static_cast<int64_t>(offsets.size()) - 1, begin, end, step));
    if (bounds.step == 1) {
      return runtime.NewString(
          text->Substring(offsets[bounds.begin], offsets[bounds.begin + bounds.count]));
    }
    Text result;
    for (int64_t i = 0; i < bounds.count; ++i) {
      const int64_t at = bounds.begin + i * bounds.step;
      result.AppendRange(*text, offsets[at], offsets[at + 1]);
    }
    return runtime.NewString(std::move(result));
  }
  const Sequence* sequence = object.AsSequence();
  if (sequence == nullptr || sequence->type == Sequence::Type::kGenerator ||
      sequence->type == Sequence::Type::kView) {
    return TypeError("slicing", object);
  }
  M3_ASSIGN_OR_RETURN(const SliceBounds bounds,
                      ResolveSlice(static_cast<int64_t>(sequence->items.size()), begin, end, step));
  std::vector<Value> items;
  M3_RETURN_IF_ERROR(runtime.SpendItems(static_cast<size_t>(bounds.count)));
  for (int64_t i = 0; i < bounds.count; ++i) {
    items.push_back(sequence->items[bounds.begin + i * bounds.step]);
  }
  return runtime.NewSequence(sequence->type, std::move(items));
}

absl::StatusOr<Value> GetPath(Runtime& runtime, Value object, const Value& path) {
  const Text* text = path.AsText();
  if (text == nullptr) return GetItem(runtime, object, path);
  std::string_view rest = text->bytes();
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    const bool number = !part.empty() &&
                        part.find_first_not_of("0123456789") == std::string_view::npos &&
                        absl::SimpleAtoi(ToAbsl(part), &index);
    const Value key = number ? Value(index) : Value::OfTemplateString(part);
    M3_ASSIGN_OR_RETURN(object, GetItem(runtime, object, key));
    if (dot == std::string_view::npos) return object;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace memory3::jinja
