// Nearest vectors by comparing with every one.
#ifndef MEMORY3_RETRIEVAL_INDEX_EXACT_SEARCH_H_
#define MEMORY3_RETRIEVAL_INDEX_EXACT_SEARCH_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "retrieval/index/scored_id.h"
#include "retrieval/index/vector_table.h"

namespace memory3 {

// Keeps the k best of what it is given.
class BestIds {
 public:
  explicit BestIds(int k) : k_(static_cast<size_t>(k)) {}
  void Add(const ScoredId& scored);
  std::vector<ScoredId> Take();  // best first

 private:
  const size_t k_;
  std::vector<ScoredId> heap_;  // the worst at the front
};

// The k nearest rows of the table, best first; the id of a row is its number. k > 0.
std::vector<ScoredId> SearchEvery(const VectorTable& vectors, absl::Span<const float> query, int k);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_EXACT_SEARCH_H_
