// The `decoder` of tokenizer.json: from tokens back to text.
#ifndef MEMORY3_ENGINE_TEXT_TOKEN_DECODER_H_
#define MEMORY3_ENGINE_TEXT_TOKEN_DECODER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace memory3 {

// Immutable; safe from any thread.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;

  // Transforms all tokens of a text; joined, the result is the text.
  virtual void Decode(std::vector<std::string>* tokens) const = 0;
  // What one token inside a text becomes, as bytes: a part of a character stays one.
  virtual std::string DecodeOne(std::string token) const = 0;
  // Whether a space in front of the first token is dropped.
  virtual bool StripsLeadingSpace() const { return false; }
};

// null joins the tokens with spaces, as Hugging Face does. Supported: Sequence, ByteLevel,
// ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece, BPEDecoder; another type is refused by
// name.
absl::StatusOr<std::unique_ptr<TokenDecoder>> MakeTokenDecoder(const nlohmann::json& json);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_TOKEN_DECODER_H_
