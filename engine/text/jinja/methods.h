// Methods of strings, dictionaries, lists and `loop` that templates may call.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_METHODS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_METHODS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/arguments.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// A method of any kind of value has this name.
bool IsMethod(std::string_view name);
bool HasMethod(const Value& object, std::string_view name);
// Python has the method, templates here do not.
bool IsUnsupportedMethod(const Value& object, std::string_view name);

// Precondition: HasMethod(self, name).
absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& self, std::string_view name,
                                 Arguments arguments);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_METHODS_H_
