// The `model` of tokenizer.json: from one piece of text to ids.
#ifndef MEMORY3_ENGINE_TEXT_TOKEN_MODEL_H_
#define MEMORY3_ENGINE_TEXT_TOKEN_MODEL_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/vocabulary.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

// Immutable; safe from any thread.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of one piece (valid UTF-8, not empty).
  virtual void Tokenize(std::string_view piece, std::vector<int32_t>* ids) const = 0;
};

// Each keeps a reference to the vocabulary, already filled from `json`, which must outlive it.
absl::StatusOr<std::unique_ptr<TokenModel>> MakeBpe(const nlohmann::json& json,
                                                    const Vocabulary& vocabulary);
absl::StatusOr<std::unique_ptr<TokenModel>> MakeWordPiece(const nlohmann::json& json,
                                                          const Vocabulary& vocabulary);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_TOKEN_MODEL_H_
