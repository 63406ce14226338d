// Reading the files of a tokenizer.
#ifndef MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_
#define MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/added_tokens.h"
#include "nlohmann/json.hpp"

namespace memory3 {

inline constexpr int64_t kMaxTokenizerFileBytes = int64_t{256} << 20;

// Errors name the file.
absl::StatusOr<std::string> ReadTokenizerFile(const std::filesystem::path& file);
absl::StatusOr<nlohmann::json> ReadJsonFile(const std::filesystem::path& file);

// What tokenizer_config.json says, and added_tokens.json, which older folders have instead.
struct TokenizerConfig {
  std::string tokenizer_class;
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::string bos_token;
  std::string eos_token;
  std::vector<AddedToken> added_tokens;  // by rising id
};
absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const std::filesystem::path& model_dir);

// An added token as both files spell it.
absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& fields, int64_t id);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_
