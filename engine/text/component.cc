#include "engine/text/component.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {

absl::Status ComponentError(const std::string& part, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(part, ": ", problem));
}

absl::StatusOr<std::string> ComponentType(const nlohmann::json& json, const std::string& part) {
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) {
    return ComponentError(part, "must be an object with a type");
  }
  return json["type"].get<std::string>();
}

absl::StatusOr<bool> BoolField(const nlohmann::json& json, const char* name, bool default_value,
                               const std::string& part) {
  const auto field = json.find(name);
  if (field == json.end() || field->is_null()) return default_value;
  if (!field->is_boolean())
    return ComponentError(part, absl::StrCat(name, " must be true or false"));
  return field->get<bool>();
}

absl::StatusOr<std::string> StringField(const nlohmann::json& json, const char* name,
                                        const std::string& default_value, const std::string& part) {
  const auto field = json.find(name);
  if (field == json.end() || field->is_null()) return default_value;
  if (!field->is_string()) return ComponentError(part, absl::StrCat(name, " must be a string"));
  return field->get<std::string>();
}

absl::StatusOr<Regex> PatternField(const nlohmann::json& json, const std::string& part) {
  const auto pattern = json.find("pattern");
  if (pattern != json.end() && pattern->is_object()) {
    for (const char* kind : {"String", "Regex"}) {
      const auto text = pattern->find(kind);
      if (text == pattern->end() || !text->is_string()) continue;
      absl::StatusOr<Regex> regex = *kind == 'S' ? Regex::Literal(text->get<std::string>())
                                                 : Regex::Compile(text->get<std::string>());
      if (!regex.ok()) return ComponentError(part, std::string(regex.status().message()));
      return regex;
    }
  }
  return ComponentError(part, "pattern must be {\"String\": ...} or {\"Regex\": ...}");
}

}  // namespace memory3
