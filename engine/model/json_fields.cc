#include "engine/model/json_fields.h"

#include <cmath>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

absl::StatusOr<nlohmann::json> ParseObject(absl::string_view text, absl::string_view source,
                                           const nlohmann::json::parser_callback_t& callback) {
  M3_ASSIGN_OR_RETURN(nlohmann::json json, ParseJson(text, source, callback));
  if (!json.is_object())
    return absl::InvalidArgumentError(absl::StrCat(source, ": not a JSON object"));
  return json;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, absl::string_view source) {
  return ParseObject(text, source, nullptr);
}

absl::StatusOr<nlohmann::json> ParseUniqueJsonObject(absl::string_view text,
                                                     absl::string_view source) {
  absl::flat_hash_set<std::string> keys;
  std::optional<std::string> duplicate;
  const auto note_key = [&](int depth, nlohmann::json::parse_event_t event,
                            nlohmann::json& parsed) {
    if (event == nlohmann::json::parse_event_t::key && depth == 1 &&
        !keys.insert(parsed.get<std::string>()).second) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  M3_ASSIGN_OR_RETURN(nlohmann::json json, ParseObject(text, source, note_key));
  if (duplicate.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": '", *duplicate, "' is there twice"));
  }
  return json;
}

bool JsonFields::Has(const char* name) const {
  const auto field = object_.find(name);
  return field != object_.end() && !field->is_null();
}

absl::Status JsonFields::Error(absl::string_view name, absl::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(source_, ": ", name, ": ", problem));
}

absl::StatusOr<int> JsonFields::Int(const char* name, int min, int max) const {
  if (!Has(name)) return Error(name, "missing");
  const nlohmann::json& value = at(name);
  // An unsigned above int64's range reads back negative; the range check below refuses it either
  // way.
  if (!value.is_number_integer()) return Error(name, "must be an integer");
  const bool too_large =
      value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(max);
  const int64_t number = value.get<int64_t>();
  if (too_large || number < min || number > max) {
    return Error(name, absl::StrCat("must be in [", min, ", ", max, "], got ", value.dump()));
  }
  return static_cast<int>(number);
}

absl::StatusOr<int> JsonFields::Int(const char* name, int min, int max, int default_value) const {
  return Has(name) ? Int(name, min, max) : default_value;
}

absl::StatusOr<double> JsonFields::Positive(const char* name, double default_value) const {
  if (!Has(name)) return default_value;
  const nlohmann::json& value = at(name);
  if (!value.is_number()) return Error(name, "must be a number");
  const double number = value.get<double>();
  if (!std::isfinite(number) || number <= 0)
    return Error(name, absl::StrCat("must be above 0, got ", value.dump()));
  return number;
}

absl::StatusOr<bool> JsonFields::Bool(const char* name, bool default_value) const {
  if (!Has(name)) return default_value;
  if (!at(name).is_boolean()) return Error(name, "must be true or false");
  return at(name).get<bool>();
}

absl::StatusOr<std::string> JsonFields::String(const char* name,
                                               absl::string_view default_value) const {
  if (!Has(name)) return std::string(default_value);
  if (!at(name).is_string()) return Error(name, "must be a string");
  return at(name).get<std::string>();
}

}  // namespace memory3
