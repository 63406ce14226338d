// The text of one answer as it grows: tokens in, pieces of a stream out.
//
// Three things delay text: a character whose bytes are not all there yet, a stop string that may be
// forming, and nothing else. A token is final, and travels with a piece, once all its text was
// emitted; every token of an answer that comes to its end travels exactly once.
//
// The answer ends before a stop string. The text of the first min_tokens tokens is not searched.
// Not thread-safe; one per sequence. Pieces own their strings, so they allocate where text is
// longer than a short string.
#ifndef MEMORY3_ENGINE_SCHED_ANSWER_H_
#define MEMORY3_ENGINE_SCHED_ANSWER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/generation.h"
#include "engine/text/stop_matcher.h"
#include "engine/text/stream_decoder.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

class Answer {
 public:
  // The tokenizer must outlive the answer.
  Answer(const Tokenizer& tokenizer, std::vector<std::string> stops, int min_tokens);

  // Adds a token of the text to *piece's text and tokens, as far as they may be emitted. Sets
  // finish and stop_match when a stop string is complete; nothing may be added then.
  void Add(TokenInfo token, GenerationEvent* piece);

  // Ends the answer for another reason than a stop string: adds what was held back.
  void Finish(FinishReason reason, GenerationEvent* piece);
  // The same for a token that ends the answer and is itself no text.
  void FinishWithStopToken(TokenInfo token, GenerationEvent* piece);

 private:
  struct HeldToken {
    TokenInfo token;
    size_t end;   // of its text, in bytes from the start of the answer
    bool is_cut;  // its last character is not complete: `end` is not known yet
  };

  // Moves decoded text through the stop matcher into the piece.
  void AddText(std::string_view text, GenerationEvent* piece);
  void ReleaseTokens(bool all, GenerationEvent* piece);

  const std::vector<std::string> stops_;
  const int min_tokens_;
  StreamDecoder decoder_;
  StopMatcher matcher_;
  std::vector<HeldToken> held_;
  int tokens_ = 0;
  size_t decoded_bytes_ = 0;
  size_t emitted_bytes_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_ANSWER_H_
