// Reading the files of a tokenizer.
#ifndef MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_
#define MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace memory3 {

inline constexpr int64_t kMaxTokenizerFileBytes = int64_t{256} << 20;

// Errors name the file.
absl::StatusOr<std::string> ReadTokenizerFile(const std::filesystem::path& file);
absl::StatusOr<nlohmann::json> ReadJsonFile(const std::filesystem::path& file);

// What tokenizer_config.json says about BOS; without that file, or without a word on it, both are
// empty.
struct BosConfig {
  bool add_bos = false;
  std::string bos_token;
};
absl::StatusOr<BosConfig> ReadBosConfig(const std::filesystem::path& model_dir);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_TOKENIZER_FILES_H_
