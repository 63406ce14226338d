// The `pre_tokenizer` of tokenizer.json: how a normalized text is cut into the pieces that the
// model tokenizes on their own.
#ifndef MEMORY3_ENGINE_TEXT_PRE_TOKENIZER_H_
#define MEMORY3_ENGINE_TEXT_PRE_TOKENIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

struct TextPiece {
  std::string text;
  bool at_start;  // begins where the whole text begins (Metaspace treats that piece specially)
};

// Immutable; safe from any thread.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Cuts every piece further. Empty pieces are dropped.
  virtual void Cut(std::vector<TextPiece>* pieces) const = 0;
};

// null cuts nothing. Supported: Sequence, ByteLevel, Split, Metaspace, Whitespace, WhitespaceSplit,
// Punctuation, Digits, CharDelimiterSplit, BertPreTokenizer; another type is refused by name.
absl::StatusOr<std::unique_ptr<PreTokenizer>> MakePreTokenizer(const nlohmann::json& json);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_PRE_TOKENIZER_H_
