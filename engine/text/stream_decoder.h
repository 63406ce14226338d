// Turns the token ids of one answer into text, piece by piece, emitting whole UTF-8 characters
// only.
//
//   StreamDecoder decoder(tokenizer, /*skip_special_tokens=*/true);
//   std::string piece = decoder.Push(id);  // may be empty while a character is incomplete
//   piece += decoder.Finish();             // what was held back; invalid bytes become U+FFFD
//
// The pieces joined equal Tokenizer::Decode of the ids wherever that is itself decodable token by
// token. Not thread-safe; one per answer. Keeps a reference to the tokenizer, which must outlive
// it.
#ifndef MEMORY3_ENGINE_TEXT_STREAM_DECODER_H_
#define MEMORY3_ENGINE_TEXT_STREAM_DECODER_H_

#include <cstdint>
#include <string>

#include "engine/text/tokenizer.h"

namespace memory3 {

class StreamDecoder {
 public:
  // continues_text: the answer continues a text (a chat turn always does), so that a leading space
  // is kept.
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens, bool continues_text = true);

  std::string Push(int32_t id);
  std::string Finish();

  // True while bytes of a character that is not complete are held back.
  bool HoldsBack() const { return !pending_.empty(); }

 private:
  const Tokenizer& tokenizer_;
  const bool skip_special_tokens_;
  bool strip_space_;
  std::string pending_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_STREAM_DECODER_H_
