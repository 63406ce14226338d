#include "engine/text/jinja/functions.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/operators.h"

namespace memory3::jinja {
namespace {

constexpr size_t kMaxTimeFormatBytes = 256;

absl::StatusOr<Value> CallRange(Runtime& runtime, Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind("range", std::move(arguments), {"start", "stop", "step"}, 1));
  M3_ASSIGN_OR_RETURN(const int64_t first, bound.GetInt(0, 0));
  M3_ASSIGN_OR_RETURN(const int64_t stop, bound.GetInt(1, first));
  M3_ASSIGN_OR_RETURN(const int64_t step, bound.GetInt(2, 1));
  const int64_t start = bound.Has(1) ? first : 0;
  if (step == 0) return absl::InvalidArgumentError("range() with a step of zero");
  std::vector<Value> items;
  // 128 bits: start and step come from the template and their sum may not fit 64.
  for (__int128 i = start; step > 0 ? i < stop : i > stop; i += step) {
    if (items.size() >= static_cast<size_t>(kMaxRangeItems)) {
      return absl::InvalidArgumentError(Concat("range() of more than ", kMaxRangeItems, " items"));
    }
    items.emplace_back(static_cast<int64_t>(i));
  }
  M3_ASSIGN_OR_RETURN(Value range, runtime.NewSequence(Sequence::Type::kRange, std::move(items)));
  const std::string step_text = step == 1 ? "" : Concat(", ", step);
  range.AsSequence()->label = Concat("range(", start, ", ", stop, step_text, ")");
  return range;
}

// A dictionary's entries, or none, and then the arguments by keyword.
absl::StatusOr<std::vector<std::pair<Value, Value>>> EntriesOf(std::string_view name,
                                                               const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> entries;
  if (arguments.positional.size() > 1) {
    return absl::InvalidArgumentError(Concat(name, "() takes one argument at most"));
  }
  if (!arguments.positional.empty()) {
    const Dict* dict = arguments.positional[0].AsDict();
    if (dict == nullptr) return TypeError(name, arguments.positional[0]);
    entries = dict->entries;
  }
  for (const auto& [key, value] : arguments.keyword) {
    bool replaced = false;
    for (auto& [existing, old] : entries) {
      if (existing.AsText() != nullptr && existing.AsText()->bytes() == key) {
        old = value;
        replaced = true;
      }
    }
    if (!replaced) entries.emplace_back(Value::OfTemplateString(key), value);
  }
  return entries;
}

absl::StatusOr<Value> CallDict(Runtime& runtime, const Arguments& arguments) {
  M3_ASSIGN_OR_RETURN(auto entries, EntriesOf("dict", arguments));
  return runtime.NewDict(std::move(entries));
}

absl::StatusOr<Value> CallNamespace(Runtime& runtime, const Arguments& arguments) {
  M3_ASSIGN_OR_RETURN(auto entries, EntriesOf("namespace", arguments));
  std::vector<std::pair<std::string, Value>> attributes;
  for (auto& [key, value] : entries) {
    if (key.AsText() == nullptr) return TypeError("naming an attribute", key);
    attributes.emplace_back(key.AsText()->bytes(), std::move(value));
  }
  M3_RETURN_IF_ERROR(runtime.SpendItems(4 + attributes.size()));
  return runtime.NewNamespace(std::move(attributes));
}

absl::StatusOr<Value> CallRaiseException(Runtime& runtime, Arguments arguments) {
  M3_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      BoundArguments::Bind("raise_exception", std::move(arguments), {"message"}, 1));
  M3_ASSIGN_OR_RETURN(const Text message, ToText(runtime, bound[0]));
  runtime.MarkRaised();
  return absl::InvalidArgumentError(message.bytes());
}

absl::StatusOr<Value> CallStrftimeNow(Runtime& runtime, Arguments arguments) {
  M3_ASSIGN_OR_RETURN(const BoundArguments bound,
                      BoundArguments::Bind("strftime_now", std::move(arguments), {"format"}, 1));
  M3_ASSIGN_OR_RETURN(const Text* format, bound.GetText(0));
  if (format == nullptr || format->size() > kMaxTimeFormatBytes) {
    return absl::InvalidArgumentError(
        Concat("strftime_now() needs a format of at most ", kMaxTimeFormatBytes, " bytes"));
  }
  return runtime.NewString(Text(
      absl::FormatTime(format->bytes(), runtime.Now(), absl::LocalTimeZone()), Origin::kTemplate));
}

}  // namespace

bool IsFunction(std::string_view name) {
  return name == "range" || name == "dict" || name == "namespace" || name == "raise_exception" ||
         name == "strftime_now";
}

absl::StatusOr<Value> CallFunction(Runtime& runtime, std::string_view name, Arguments arguments) {
  if (name == "range") return CallRange(runtime, std::move(arguments));
  if (name == "dict") return CallDict(runtime, arguments);
  if (name == "namespace") return CallNamespace(runtime, arguments);
  if (name == "raise_exception") return CallRaiseException(runtime, std::move(arguments));
  return CallStrftimeNow(runtime, std::move(arguments));
}

}  // namespace memory3::jinja
