// Text <-> token ids, for every tokenizer kind the service loads.
//
//   M3_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer, LoadTokenizer(model_dir));
//   std::vector<int32_t> ids = tokenizer->Encode("Hello", {.add_special_tokens = true});
//
// A loaded tokenizer is immutable: every method is safe to call from any thread at once.
#ifndef MEMORY3_ENGINE_TEXT_TOKENIZER_H_
#define MEMORY3_ENGINE_TEXT_TOKENIZER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace memory3 {

struct EncodeOptions {
  // Add what the tokenizer's post-processor adds (BOS, [CLS] ... [SEP]).
  bool add_special_tokens = false;
  // Recognise special tokens written out in the text ("<|im_start|>"). Chat templates need it; text
  // that comes from a user must never be encoded with it alone, or the user could forge a turn.
  bool parse_special_tokens = true;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text`, which must be valid UTF-8 (see IsValidUtf8); invalid bytes are encoded as
  // U+FFFD.
  virtual std::vector<int32_t> Encode(std::string_view text,
                                      const EncodeOptions& options) const = 0;

  // Text of `ids`, as the tokenizer's own decoder defines it. Ids out of range are skipped.
  virtual std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const = 0;

  // The bytes that `id` adds to a text that already has tokens before it: not always whole UTF-8
  // characters. A special token's bytes are its written form. What StreamDecoder builds on.
  virtual std::string TokenBytes(int32_t id) const = 0;

  // One more than the largest id, added tokens included.
  virtual int vocab_size() const = 0;
  virtual std::optional<int32_t> TokenId(std::string_view token) const = 0;
  // The token as spelled in the vocabulary; empty when out of range.
  virtual std::string_view TokenText(int32_t id) const = 0;
  virtual bool IsSpecial(int32_t id) const = 0;
  // True when a decoder drops the one leading space that the encoder added in front of a text
  // (sentencepiece style).
  virtual bool StripsLeadingSpace() const = 0;
};

// Reads tokenizer.json, or else a sentencepiece tokenizer.model, from a Hugging Face model folder.
// A kind or component that is not supported is refused by name.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::filesystem::path& model_dir);

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerJson(const std::filesystem::path& file);
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadSentencePiece(const std::filesystem::path& file);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_TOKENIZER_H_
