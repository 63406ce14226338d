// Tokens that are found in a text before anything else happens to it: special tokens and others a
// model's maker added.
#ifndef MEMORY3_ENGINE_TEXT_ADDED_TOKENS_H_
#define MEMORY3_ENGINE_TEXT_ADDED_TOKENS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace memory3 {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = false;   // looked for in the normalized text, not in the raw one
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // swallows white space before it
  bool rstrip = false;       // and behind it
};

// A stretch of text: an added token, or what lies between two of them.
struct AddedTokenSpan {
  size_t begin;
  size_t end;
  std::optional<int32_t> token;
};

// Finds the longest added token at the leftmost place, again and again, as Hugging Face's
// tokenizers do: white space that a token swallowed may still be an added token of its own.
// Immutable once built; safe from any thread.
class AddedTokenMatcher {
 public:
  // An empty content is left out: it would match everywhere.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  // With find_special false, special tokens are text like any other, and no other added token is
  // found inside one.
  std::vector<AddedTokenSpan> Split(std::string_view text, bool find_special) const;

 private:
  struct Node {
    std::vector<std::pair<char, int>> children;  // few: sorted by byte
    int token = -1;                              // index into tokens_
  };
  int Child(int node, char byte) const;
  // The longest token that starts at `position`.
  const AddedToken* MatchAt(std::string_view text, size_t position) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> trie_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_ADDED_TOKENS_H_
