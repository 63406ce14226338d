#include "engine/text/jinja/loop.h"

namespace memory3::jinja {

absl::StatusOr<std::optional<Value>> LoopAttribute(const LoopState& loop, std::string_view name) {
  const auto index = static_cast<int64_t>(loop.index);
  const auto length = static_cast<int64_t>(loop.items.size());
  const auto found = [](Value value) { return std::optional<Value>(std::move(value)); };
  if (name == "index") return found(Value(index + 1));
  if (name == "index0") return found(Value(index));
  if (name == "revindex") return found(Value(length - index));
  if (name == "revindex0") return found(Value(length - index - 1));
  if (name == "first") return found(Value(index == 0));
  if (name == "last") return found(Value(index + 1 == length));
  if (name == "length") return found(Value(length));
  // These count recursion, which is not supported, and not loops inside of loops.
  if (name == "depth") return found(Value(int64_t{1}));
  if (name == "depth0") return found(Value(int64_t{0}));
  if (name == "previtem") {
    if (index == 0) return found(Value::OfUndefined("there is no previous item"));
    return found(loop.items[index - 1]);
  }
  if (name == "nextitem") {
    if (index + 1 == length) return found(Value::OfUndefined("there is no next item"));
    return found(loop.items[index + 1]);
  }
  return std::optional<Value>();
}

}  // namespace memory3::jinja
