#include "engine/text/stream_decoder.h"

#include "engine/text/utf8.h"

namespace memory3 {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens,
                             bool continues_text)
    : tokenizer_(tokenizer),
      skip_special_tokens_(skip_special_tokens),
      strip_space_(!continues_text && tokenizer.StripsLeadingSpace()) {}

std::string StreamDecoder::Push(int32_t id) {
  if (skip_special_tokens_ && tokenizer_.IsSpecial(id)) return "";
  pending_ += tokenizer_.TokenBytes(id);
  if (strip_space_ && !pending_.empty()) {
    if (pending_.front() == ' ') pending_.erase(0, 1);
    strip_space_ = false;
  }
  const size_t complete = CompleteUtf8Prefix(pending_);
  std::string piece = ReplaceInvalidUtf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return piece;
}

std::string StreamDecoder::Finish() {
  std::string piece = ReplaceInvalidUtf8(pending_);
  pending_.clear();
  return piece;
}

}  // namespace memory3
