// The `loop` variable of a for loop.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_LOOP_H_
#define MEMORY3_ENGINE_TEXT_JINJA_LOOP_H_

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// loop.index, loop.first and so on; nullopt when there is no such attribute.
absl::StatusOr<std::optional<Value>> LoopAttribute(const LoopState& loop, std::string_view name);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_LOOP_H_
