// Finds the chat template and its tokens in a Hugging Face model folder.
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/text/chat_template.h"
#include "nlohmann/json.hpp"

namespace memory3 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;

// nullopt when there is no such file.
absl::StatusOr<std::optional<std::string>> ReadIfThere(const fs::path& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  M3_RETURN_IF_ERROR(text.status());
  return *std::move(text);
}

// The object in the file; an empty one when there is no such file.
absl::StatusOr<json> ReadObject(const fs::path& path) {
  M3_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadIfThere(path));
  if (!text.has_value()) return json::object();
  M3_ASSIGN_OR_RETURN(json object, ParseJson(*text, path.string()));
  if (!object.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": not a JSON object"));
  }
  return object;
}

// A token is a string or, in older folders, an object with its "content".
std::string TokenText(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_object()) return {};
  const auto content = found->find("content");
  return content != found->end() && content->is_string() ? content->get<std::string>() : "";
}

ChatTemplateTokens Tokens(const json& config, const json& map) {
  const auto token = [&](const char* name) {
    std::string text = TokenText(config, name);
    return text.empty() ? TokenText(map, name) : text;
  };
  return {.bos_token = token("bos_token"),
          .eos_token = token("eos_token"),
          .unk_token = token("unk_token"),
          .pad_token = token("pad_token")};
}

// `chat_template` of tokenizer_config.json; nullopt when it has none.
absl::StatusOr<std::optional<std::string>> TemplateOf(const json& config, const fs::path& path) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const json& entry : *found) {
      if (!entry.is_object()) continue;
      const auto name = entry.find("name");
      const auto source = entry.find("template");
      if (name != entry.end() && *name == "default" && source != entry.end() &&
          source->is_string()) {
        return source->get<std::string>();
      }
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path.string(), ": chat_template is neither a string nor a list with a \"default\" template"));
}

}  // namespace

absl::StatusOr<std::optional<ChatTemplate>> ChatTemplate::Load(const fs::path& model_dir,
                                                               Clock clock) {
  const fs::path config_path = model_dir / "tokenizer_config.json";
  fs::path path = model_dir / "chat_template.jinja";
  M3_ASSIGN_OR_RETURN(const json config, ReadObject(config_path));
  M3_ASSIGN_OR_RETURN(const json map, ReadObject(model_dir / "special_tokens_map.json"));
  M3_ASSIGN_OR_RETURN(std::optional<std::string> source, ReadIfThere(path));
  if (!source.has_value()) {
    path = config_path;
    M3_ASSIGN_OR_RETURN(source, TemplateOf(config, path));
  }
  if (!source.has_value()) return std::nullopt;
  absl::StatusOr<ChatTemplate> parsed = Parse(*source, Tokens(config, map), std::move(clock));
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(),
                        absl::StrCat(path.string(), ": ", parsed.status().message()));
  }
  return std::optional<ChatTemplate>(*std::move(parsed));
}

}  // namespace memory3
