#include "engine/text/post_processor.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/component.h"
#include "engine/text/vocabulary.h"

namespace memory3 {
namespace {

absl::StatusOr<int32_t> TokenId(const nlohmann::json& id, const std::string& part) {
  if (!id.is_number_unsigned() ||
      id.get<uint64_t>() >= static_cast<uint64_t>(Vocabulary::kMaxTokens)) {
    return ComponentError(part, "a token id is missing or out of range");
  }
  return id.get<int32_t>();
}

// ["[CLS]", 101]
absl::StatusOr<int32_t> PairId(const nlohmann::json& json, const char* name,
                               const std::string& part) {
  if (!json.contains(name) || !json[name].is_array() || json[name].size() != 2) {
    return ComponentError(part, absl::StrCat(name, " must be a pair of token and id"));
  }
  return TokenId(json[name][1], part);
}

// The ids behind a special token's name in a template.
absl::StatusOr<std::vector<int32_t>> TemplateIds(const nlohmann::json& json,
                                                 const nlohmann::json& item,
                                                 const std::string& part) {
  M3_ASSIGN_OR_RETURN(const std::string name, StringField(item, "id", "", part));
  const nlohmann::json::json_pointer known("/special_tokens");
  if (!json.contains(known) || !json[known].is_object() || !json[known].contains(name) ||
      !json[known][name].is_object() || !json[known][name].contains("ids") ||
      !json[known][name]["ids"].is_array()) {
    return ComponentError(part, absl::StrCat("special token '", name, "' has no ids"));
  }
  std::vector<int32_t> ids;
  for (const nlohmann::json& id : json[known][name]["ids"]) {
    M3_ASSIGN_OR_RETURN(const int32_t token, TokenId(id, part));
    ids.push_back(token);
  }
  return ids;
}

absl::StatusOr<PostProcessor> MakeTemplate(const nlohmann::json& json, const std::string& part) {
  if (!json.contains("single") || !json["single"].is_array())
    return ComponentError(part, "single must be a list");
  PostProcessor processor;
  bool after_text = false;
  for (const nlohmann::json& item : json["single"]) {
    if (item.is_object() && item.contains("Sequence")) {
      if (after_text) return ComponentError(part, "single holds the text twice");
      after_text = true;
    } else if (item.is_object() && item.contains("SpecialToken") &&
               item["SpecialToken"].is_object()) {
      M3_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                          TemplateIds(json, item["SpecialToken"], part));
      std::vector<int32_t>& side = after_text ? processor.suffix : processor.prefix;
      side.insert(side.end(), ids.begin(), ids.end());
    } else {
      return ComponentError(part, "single holds something other than Sequence and SpecialToken");
    }
  }
  return processor;
}

absl::StatusOr<PostProcessor> MakeSequence(const nlohmann::json& json, const std::string& part) {
  if (!json.contains("processors") || !json["processors"].is_array()) {
    return ComponentError(part, "processors must be a list");
  }
  PostProcessor all;
  for (const nlohmann::json& step : json["processors"]) {
    M3_ASSIGN_OR_RETURN(const PostProcessor one, MakePostProcessor(step));
    all.prefix.insert(all.prefix.begin(), one.prefix.begin(), one.prefix.end());
    all.suffix.insert(all.suffix.end(), one.suffix.begin(), one.suffix.end());
  }
  return all;
}

}  // namespace

absl::StatusOr<PostProcessor> MakePostProcessor(const nlohmann::json& json) {
  if (json.is_null()) return PostProcessor{};
  M3_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, "post_processor"));
  const std::string part = absl::StrCat("post_processor ", type);
  if (type == "Sequence") return MakeSequence(json, part);
  if (type == "TemplateProcessing") return MakeTemplate(json, part);
  if (type == "ByteLevel") return PostProcessor{};  // changes offsets only
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    M3_ASSIGN_OR_RETURN(const int32_t cls, PairId(json, "cls", part));
    M3_ASSIGN_OR_RETURN(const int32_t sep, PairId(json, "sep", part));
    return PostProcessor{{cls}, {sep}};
  }
  return ComponentError("post_processor", absl::StrCat("type '", type, "' is not supported"));
}

}  // namespace memory3
