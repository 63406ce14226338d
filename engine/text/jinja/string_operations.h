// String operations that methods and filters share. All keep the origin of every byte.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_STRING_OPERATIONS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_STRING_OPERATIONS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/text.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// `chars` null: white space.
Text Strip(const Text& text, const Text* chars, bool left, bool right);

// At most `count` times when it is not negative.
absl::StatusOr<Text> Replace(Runtime& runtime, const Text& text, std::string_view from,
                             const Text& to, int64_t count);

// `separator` null: runs of white space. At most `count` splits when it is not negative.
absl::StatusOr<std::vector<Value>> Split(Runtime& runtime, const Text& text, const Text* separator,
                                         int64_t count);
// Splits from the right; the parts are in the order of the text.
absl::StatusOr<std::vector<Value>> SplitFromRight(Runtime& runtime, const Text& text,
                                                  const Text* separator, int64_t count);

absl::StatusOr<Text> Join(Runtime& runtime, const Text& separator, const std::vector<Value>& parts);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_STRING_OPERATIONS_H_
