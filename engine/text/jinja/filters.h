// Filters: value | name(arguments).
#ifndef MEMORY3_ENGINE_TEXT_JINJA_FILTERS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_FILTERS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/arguments.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// `name` is the filter's own, for messages and for filters that share a function.
using Filter = absl::StatusOr<Value> (*)(Runtime& runtime, const Value& input,
                                         std::string_view name, Arguments arguments);

// Null when there is no such filter.
Filter FindFilter(std::string_view name);

// The two families behind FindFilter; null when the filter belongs to the other.
Filter FindScalarFilter(std::string_view name);
Filter FindSequenceFilter(std::string_view name);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_FILTERS_H_
