// Passes over a whole vocabulary of scores, and the selection of its best tokens without sorting
// it.
#ifndef MEMORY3_ENGINE_SAMPLING_CANDIDATES_H_
#define MEMORY3_ENGINE_SAMPLING_CANDIDATES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace memory3 {

struct Candidate {
  float score;
  int32_t token;
};

// The one order of tokens used everywhere: by score, ties to the lower id.
inline bool IsBetter(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.token < b.token;
}

// NaN becomes -infinity, +infinity the largest float: after this, scores compare and subtract
// without surprises.
void MakeFinite(absl::Span<float> scores);

// -infinity when there is no number above it. NaNs are passed over.
float MaxScore(absl::Span<const float> scores);

// The lowest id among those with the largest score, +infinity counting as the largest float; 0 when
// all are NaN or -infinity.
int32_t ArgMax(absl::Span<const float> scores);

// Replaces every score by e^((score - max) / temperature); max is the largest of the scores.
void ToWeights(absl::Span<float> scores, float max, float temperature);

// Sum of e^(score - max).
double SumOfExp(absl::Span<const float> scores, float max);

// Sum in blocks of kSumBlock: *block_sums (resized) gets the sum of each. Exact order: lanes within
// a block, then blocks.
inline constexpr int kSumBlock = 256;
double SumInBlocks(absl::Span<const float> weights, std::vector<double>* block_sums);

// Leaves the `count` best tokens in *best, in no particular order except that the worst of them is
// last. 0 < count <= scores.size(). Linear time; needs room for at most scores.size() candidates.
void SelectBest(absl::Span<const float> scores, int count, std::vector<Candidate>* best);

// Worst member of the smallest set of best tokens whose weights add up to at least `mass`; the
// worst of all with a weight when rounding keeps the sum below. `total` is the sum of all weights;
// *scratch needs room for weights.size() candidates. Sorts no more than it has to.
Candidate NucleusCutoff(absl::Span<const float> weights, double mass, double total,
                        std::vector<Candidate>* scratch);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SAMPLING_CANDIDATES_H_
