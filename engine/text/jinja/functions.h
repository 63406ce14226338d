// Global functions: range, dict, namespace, raise_exception and strftime_now.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_FUNCTIONS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_FUNCTIONS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/arguments.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

bool IsFunction(std::string_view name);

// Precondition: IsFunction(name).
absl::StatusOr<Value> CallFunction(Runtime& runtime, std::string_view name, Arguments arguments);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_FUNCTIONS_H_
