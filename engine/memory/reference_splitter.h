// Cuts text into references of at most so many tokens, at the best border there is: paragraphs are
// never joined, sentences only where they have to be separated, words only in a sentence that is
// too long by itself.
#ifndef MEMORY3_ENGINE_MEMORY_REFERENCE_SPLITTER_H_
#define MEMORY3_ENGINE_MEMORY_REFERENCE_SPLITTER_H_

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace memory3 {

struct SplitReference {
  std::string text;  // without white space around it, Unicode's of every kind
  int tokens = 0;    // 1 to max_tokens, special tokens not counted
};

// A blank line separates paragraphs. Thread-safe.
class ReferenceSplitter {
 public:
  // The tokenizer must outlive it.
  ReferenceSplitter(const Tokenizer& tokenizer, int max_tokens);

  // `text` is valid UTF-8. Appends to *references, in order.
  void Split(std::string_view text, std::vector<SplitReference>* references) const;

 private:
  void SplitParagraph(std::string_view paragraph, std::vector<SplitReference>* references) const;
  // A run of pieces of one paragraph as references, each as long as fits.
  void Pack(std::string_view paragraph, const std::vector<std::string_view>& pieces, bool words,
            std::vector<SplitReference>* references) const;
  int Tokens(std::string_view text) const;

  const Tokenizer& tokenizer_;
  const int max_tokens_;
};

// Borders, for tests: the sentences of a paragraph, white space at the seams left to either side.
// English and Chinese full stops, question and exclamation marks, with closing quotes after them.
std::vector<std::string_view> SplitSentences(std::string_view paragraph);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_REFERENCE_SPLITTER_H_
