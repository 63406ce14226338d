// Typed reads from a JSON object whose errors name the file and the field.
#ifndef MEMORY3_ENGINE_MODEL_JSON_FIELDS_H_
#define MEMORY3_ENGINE_MODEL_JSON_FIELDS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace memory3 {

// Parses an object; anything else, and nesting deeper than any model file has, is InvalidArgument.
// `source` names the file.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, absl::string_view source);
// The same, and refuses a key of the object that is there twice (JSON parsers would keep the last
// silently).
absl::StatusOr<nlohmann::json> ParseUniqueJsonObject(absl::string_view text,
                                                     absl::string_view source);

// A view of one object that remembers where it came from. Absent and null fields count as not
// given.
class JsonFields {
 public:
  JsonFields(const nlohmann::json& object, std::string source)
      : object_(object), source_(std::move(source)) {}

  bool Has(const char* name) const;
  const nlohmann::json& at(const char* name) const { return object_.at(name); }  // only after Has

  // Required unless a default is given; range-checked.
  absl::StatusOr<int> Int(const char* name, int min, int max) const;
  absl::StatusOr<int> Int(const char* name, int min, int max, int default_value) const;
  absl::StatusOr<double> Positive(const char* name, double default_value) const;
  absl::StatusOr<bool> Bool(const char* name, bool default_value) const;
  absl::StatusOr<std::string> String(const char* name, absl::string_view default_value) const;

  absl::Status Error(absl::string_view name, absl::string_view problem) const;
  const std::string& source() const { return source_; }

 private:
  const nlohmann::json& object_;
  std::string source_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_JSON_FIELDS_H_
