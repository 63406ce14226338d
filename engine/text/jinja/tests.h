// Tests: value is name(arguments).
#ifndef MEMORY3_ENGINE_TEXT_JINJA_TESTS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_TESTS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/arguments.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// `name` is the test's own, for messages and for tests that share a function.
using Test = absl::StatusOr<bool> (*)(Runtime& runtime, const Value& input, std::string_view name,
                                      Arguments arguments);

// Null when there is no such test.
Test FindTest(std::string_view name);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_TESTS_H_
