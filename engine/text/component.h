// Shared by the parts of tokenizer.json: reading their JSON with errors that name the part.
#ifndef MEMORY3_ENGINE_TEXT_COMPONENT_H_
#define MEMORY3_ENGINE_TEXT_COMPONENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "engine/text/regex.h"
#include "nlohmann/json.hpp"

namespace memory3 {

// "<part>: <problem>", InvalidArgument.
absl::Status ComponentError(const std::string& part, const std::string& problem);

// The `type` of a component object.
absl::StatusOr<std::string> ComponentType(const nlohmann::json& json, const std::string& part);

// A field of the given kind, or the default when it is absent or null.
absl::StatusOr<bool> BoolField(const nlohmann::json& json, const char* name, bool default_value,
                               const std::string& part);
absl::StatusOr<std::string> StringField(const nlohmann::json& json, const char* name,
                                        const std::string& default_value, const std::string& part);

// {"String": "..."} or {"Regex": "..."}.
absl::StatusOr<Regex> PatternField(const nlohmann::json& json, const std::string& part);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_COMPONENT_H_
