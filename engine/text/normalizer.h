// The `normalizer` of tokenizer.json: what happens to a text before it is cut into words.
#ifndef MEMORY3_ENGINE_TEXT_NORMALIZER_H_
#define MEMORY3_ENGINE_TEXT_NORMALIZER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

// Immutable; safe from any thread.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8, and so is the result.
  virtual std::string Normalize(std::string text) const = 0;
};

// null is the identity. Supported: Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase,
// StripAccents, Strip, BertNormalizer, ByteLevel; another type is refused by name.
absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const nlohmann::json& json);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_NORMALIZER_H_
