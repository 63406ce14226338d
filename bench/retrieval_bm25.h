// BM25 (Robertson and others), the usual yardstick of lexical retrieval; k1 1.2, b 0.75.
#ifndef MEMORY3_BENCH_RETRIEVAL_BM25_H_
#define MEMORY3_BENCH_RETRIEVAL_BM25_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "retrieval/index/scored_id.h"

namespace memory3 {

// Terms are words, and in Chinese characters and pairs of characters.
class Bm25 {
 public:
  explicit Bm25(const std::vector<std::string>& passages);
  std::vector<ScoredId> Search(std::string_view query, int k) const;

 private:
  struct Posting {
    int passage;
    int occurrences;
  };
  absl::flat_hash_map<uint64_t, std::vector<Posting>> postings_;
  std::vector<int> lengths_;
  double average_length_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_BENCH_RETRIEVAL_BM25_H_
