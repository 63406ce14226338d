// Attributes, items and slices of values, with Jinja2's rules: what is not there is undefined.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_ACCESS_H_
#define MEMORY3_ENGINE_TEXT_JINJA_ACCESS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// object.name: an attribute or method first, then an item.
absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& object, std::string_view name);

// object[key]: an item first, then an attribute.
absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& object, const Value& key);

// The entry of `dict`, or null.
absl::StatusOr<const Value*> FindEntry(Runtime& runtime, const Dict& dict, const Value& key);

// object[begin:end:step]; an absent bound is None.
absl::StatusOr<Value> Slice(Runtime& runtime, const Value& object, const Value& begin,
                            const Value& end, const Value& step);

// "a.b.0" as the attribute= arguments of filters spell it, each part an item; a Value that is not a
// string is one item's key.
absl::StatusOr<Value> GetPath(Runtime& runtime, Value object, const Value& path);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_ACCESS_H_
