#include "engine/text/tokenizer_files.h"

#include "absl/strings/str_cat.h"
#include "engine/base/read_file.h"
#include "engine/base/status_macros.h"
#include "engine/text/component.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

absl::StatusOr<std::string> ReadTokenizerFile(const std::filesystem::path& file) {
  return ReadFile(file, kMaxTokenizerFileBytes);
}

absl::StatusOr<nlohmann::json> ReadJsonFile(const std::filesystem::path& file) {
  M3_ASSIGN_OR_RETURN(const std::string text, ReadTokenizerFile(file));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return absl::InvalidArgumentError(absl::StrCat(file.string(), ": not valid JSON"));
  return json;
}

absl::StatusOr<BosConfig> ReadBosConfig(const std::filesystem::path& model_dir) {
  const std::filesystem::path file = model_dir / "tokenizer_config.json";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return BosConfig{};
  M3_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJsonFile(file));
  if (!json.is_object()) return ComponentError(file.string(), "not a JSON object");
  BosConfig config;
  M3_ASSIGN_OR_RETURN(config.add_bos, BoolField(json, "add_bos_token", false, file.string()));
  const auto bos = json.find("bos_token");
  if (bos != json.end() && bos->is_string()) config.bos_token = bos->get<std::string>();
  if (bos != json.end() &&
      bos->is_object()) {  // the long spelling, with the flags of an added token
    M3_ASSIGN_OR_RETURN(config.bos_token, StringField(*bos, "content", "", file.string()));
  }
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
