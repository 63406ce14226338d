// How values become text: Python's str() and repr(), and JSON as Hugging Face's tojson writes it.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_FORMAT_H_
#define MEMORY3_ENGINE_TEXT_JINJA_FORMAT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// What {{ value }} prints. Functions, loops, namespaces and generators have no text.
absl::StatusOr<Text> ToText(Runtime& runtime, const Value& value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level's; without it everything is on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
absl::StatusOr<Text> ToJson(Runtime& runtime, const Value& value, const JsonStyle& style);

// Python's repr of a float: the shortest digits that read back as the same number.
std::string FormatReal(double value);

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_FORMAT_H_
