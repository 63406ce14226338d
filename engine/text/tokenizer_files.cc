#include "engine/text/tokenizer_files.h"

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/parse_json.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/text/component.h"
#include "engine/text/tokenizer.h"
#include "engine/text/vocabulary.h"

namespace memory3 {
namespace {

absl::StatusOr<std::optional<bool>> OptionalBool(const nlohmann::json& json, const char* name,
                                                 const std::string& part) {
  const auto field = json.find(name);
  if (field == json.end() || field->is_null()) return std::nullopt;
  M3_ASSIGN_OR_RETURN(const bool value, BoolField(json, name, false, part));
  return value;
}

// A token's text, or the long spelling with the flags of an added token.
absl::StatusOr<std::string> TokenField(const nlohmann::json& json, const char* name,
                                       const std::string& part) {
  const auto field = json.find(name);
  if (field != json.end() && field->is_object()) return StringField(*field, "content", "", part);
  return StringField(json, name, "", part);
}

// added_tokens_decoder: {"32000": {"content": ...}}.
absl::Status ReadDecoderTokens(const nlohmann::json& json, const std::string& file,
                               std::map<int64_t, AddedToken>* added) {
  const auto tokens = json.find("added_tokens_decoder");
  if (tokens == json.end() || tokens->is_null()) return absl::OkStatus();
  if (!tokens->is_object()) return ComponentError(file, "added_tokens_decoder must be an object");
  for (const auto& [key, fields] : tokens->items()) {
    int64_t id = 0;
    if (!absl::SimpleAtoi(key, &id)) {
      return ComponentError(file, absl::StrCat("added_tokens_decoder: '", key, "' is not an id"));
    }
    absl::StatusOr<AddedToken> token = ParseAddedToken(fields, id);
    if (!token.ok()) return ComponentError(file, std::string(token.status().message()));
    added->emplace(id, *std::move(token));
  }
  return absl::OkStatus();
}

// added_tokens.json: {"<|im_end|>": 32000}. It has no flags; control tokens are what it is used
// for.
absl::Status ReadPlainTokens(const std::filesystem::path& file,
                             std::map<int64_t, AddedToken>* added) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJsonFile(file));
  if (!json.is_object()) return ComponentError(file.string(), "not a JSON object");
  for (const auto& [content, id] : json.items()) {
    if (!id.is_number_integer()) {
      return ComponentError(file.string(), absl::StrCat("token '", content, "' has no integer id"));
    }
    absl::StatusOr<AddedToken> token = ParseAddedToken(
        {{"content", content}, {"special", true}, {"normalized", false}}, id.get<int64_t>());
    if (!token.ok()) return ComponentError(file.string(), std::string(token.status().message()));
    const int64_t key = token->id;
    added->emplace(key, *std::move(token));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadTokenizerFile(const std::filesystem::path& file) {
  return ReadFile(file, kMaxTokenizerFileBytes);
}

absl::StatusOr<nlohmann::json> ReadJsonFile(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string text, ReadTokenizerFile(file));
  return ParseJson(text, file.string());
}

absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& fields, int64_t id) {
  const std::string part = "added_tokens";
  if (!fields.is_object()) return ComponentError(part, "an entry is not an object");
  AddedToken token;
  M3_ASSIGN_OR_RETURN(token.content, StringField(fields, "content", "", part));
  M3_ASSIGN_OR_RETURN(token.special, BoolField(fields, "special", false, part));
  M3_ASSIGN_OR_RETURN(token.normalized, BoolField(fields, "normalized", !token.special, part));
  M3_ASSIGN_OR_RETURN(token.single_word, BoolField(fields, "single_word", false, part));
  M3_ASSIGN_OR_RETURN(token.lstrip, BoolField(fields, "lstrip", false, part));
  M3_ASSIGN_OR_RETURN(token.rstrip, BoolField(fields, "rstrip", false, part));
  if (id < 0 || id >= Vocabulary::kMaxTokens) {
    return ComponentError(part,
                          absl::StrCat("token '", token.content, "': id ", id, " is out of range"));
  }
  token.id = static_cast<int32_t>(id);
  return token;
}

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const std::filesystem::path& model_dir) {
  const std::filesystem::path file = model_dir / "tokenizer_config.json";
  TokenizerConfig config;
  std::map<int64_t, AddedToken> added;
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    M3_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJsonFile(file));
    const std::string name = file.string();
    if (!json.is_object()) return ComponentError(name, "not a JSON object");
    M3_ASSIGN_OR_RETURN(config.tokenizer_class, StringField(json, "tokenizer_class", "", name));
    M3_ASSIGN_OR_RETURN(config.add_bos, OptionalBool(json, "add_bos_token", name));
    M3_ASSIGN_OR_RETURN(config.add_eos, OptionalBool(json, "add_eos_token", name));
    M3_ASSIGN_OR_RETURN(config.bos_token, TokenField(json, "bos_token", name));
    M3_ASSIGN_OR_RETURN(config.eos_token, TokenField(json, "eos_token", name));
    M3_RETURN_IF_ERROR(ReadDecoderTokens(json, name, &added));
  }
  M3_RETURN_IF_ERROR(ReadPlainTokens(model_dir / "added_tokens.json", &added));
  for (auto& [id, token] : added) config.added_tokens.push_back(std::move(token));
  return config;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::filesystem::path& model_dir) {
  std::error_code error;
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    const std::filesystem::path file = model_dir / name;
    if (!std::filesystem::exists(file, error)) continue;
    return file.extension() == ".json" ? LoadTokenizerJson(file) : LoadSentencePiece(file);
  }
  return absl::NotFoundError(
      absl::StrCat(model_dir.string(), ": neither tokenizer.json nor tokenizer.model"));
}

}  // namespace memory3
