// References that nobody wrote, in any number and the same ones every time.
#ifndef MEMORY3_BENCH_RETRIEVAL_SYNTHETIC_H_
#define MEMORY3_BENCH_RETRIEVAL_SYNTHETIC_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace memory3 {

// Unit vectors around centres, as a transformer's embeddings of texts about many subjects lie:
// about a hundred to a centre, at a cosine of about 0.8 to it.
class ClusteredVectors {
 public:
  ClusteredVectors(int64_t count, int dimensions);
  // Reference i; a negative i is a query, drawn like the references.
  void Make(int64_t i, absl::Span<float> out) const;

 private:
  const int dimensions_;
  std::vector<float> centers_;
};

// Texts of 60 words, half of them from the 40 words of a subject, half from a vocabulary of 50,000
// with Zipf's frequencies; about a hundred texts to a subject. A query is half the words of a
// reference in another order, as a continuation of the same passage might repeat them.
class SyntheticTexts {
 public:
  explicit SyntheticTexts(int64_t count);
  std::string Reference(int64_t i) const;
  std::string Query(int64_t reference) const;

 private:
  std::vector<int> WordsOf(int64_t i) const;

  const int64_t subjects_;
  std::vector<double> frequencies_;  // cumulative
};

}  // namespace memory3

#endif  // MEMORY3_BENCH_RETRIEVAL_SYNTHETIC_H_
