// A tokenizer small enough to think about: ids 0 to 255 are bytes, then an end-of-text token, then
// the words a test asks for.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_BYTE_TOKENIZER_H_
#define MEMORY3_TESTS_UNIT_ENGINE_BYTE_TOKENIZER_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/tokenizer.h"

namespace memory3 {

class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr int32_t kEos = 256;
  static constexpr int32_t kFirstWord = 257;

  explicit ByteTokenizer(std::vector<std::string> words = {}) : words_(std::move(words)) {
    for (int byte = 0; byte < 256; ++byte) bytes_.emplace_back(1, static_cast<char>(byte));
  }

  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions&) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
    return ids;
  }
  std::string Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (!(skip_special_tokens && IsSpecial(id))) text += TokenText(id);
    }
    return text;
  }
  std::string TokenBytes(int32_t id) const override { return std::string(TokenText(id)); }
  int vocab_size() const override { return kFirstWord + static_cast<int>(words_.size()); }
  std::optional<int32_t> TokenId(std::string_view) const override { return std::nullopt; }
  std::string_view TokenText(int32_t id) const override {
    if (id < 0 || id >= vocab_size()) return "";
    if (id == kEos) return "<eos>";
    return id < kEos ? bytes_[id] : words_[id - kFirstWord];
  }
  bool IsSpecial(int32_t id) const override { return id == kEos; }
  bool StripsLeadingSpace() const override { return false; }

 private:
  std::vector<std::string> bytes_;
  std::vector<std::string> words_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_BYTE_TOKENIZER_H_
