// Finds the written form of special tokens ("<|im_start|>") in text. Immutable, thread-safe.
#ifndef MEMORY3_SERVER_SPECIAL_TOKEN_INDEX_H_
#define MEMORY3_SERVER_SPECIAL_TOKEN_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/text/tokenizer.h"

namespace memory3 {

class SpecialTokenIndex {
 public:
  explicit SpecialTokenIndex(const Tokenizer& tokenizer);

  struct Match {
    size_t begin;
    size_t size;
    int32_t id;
  };
  // The leftmost match at or after `from`; of several that begin there, the longest.
  std::optional<Match> Find(std::string_view text, size_t from) const;

 private:
  // A trie: a walk ends at the first byte that leads nowhere, so hostile text costs no more.
  absl::flat_hash_map<std::pair<int32_t, char>, int32_t> children_;
  std::vector<int32_t> token_at_ = {-1};  // per node: the token that ends here, or -1
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SPECIAL_TOKEN_INDEX_H_
