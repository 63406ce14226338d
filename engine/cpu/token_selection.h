// Which tokens of a reference are kept in one KV head (paper, 3.3): those that its own tokens
// attend to most, without positions and without a causal mask.
#ifndef MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_
#define MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/cpu/kernels.h"
#include "engine/model/memory_config.h"

namespace memory3 {

// Working memory of one thread. Not thread-safe.
//
// Scores are single precision like the engine's attention. Weights, sums over all queries that are
// then compared with each other, are double. With kSoftmaxSum a token that gets less than e^-87 of
// every query's attention weighs nothing.
class TokenSelector {
 public:
  struct Limits {
    int head_dim = 0;
    int group = 0;       // query heads of the KV head
    int max_tokens = 0;  // of a reference
    int kept_tokens = 0;
  };
  // `kernels` must outlive it.
  TokenSelector(const Limits& limits, TokenSelection rule, const CpuKernels& kernels);

  // Token t's query heads (group of them, side by side) at queries + t * stride, its key at
  // keys + t * stride, all before RoPE. Returns min(kept_tokens, tokens) tokens, ascending; ties go
  // to the lower one. Valid until the next call.
  absl::Span<const int32_t> Select(const float* queries, const float* keys, int64_t stride,
                                   int tokens);

 private:
  struct Queries {
    const float* first;
    int64_t stride;
    int tokens;
  };

  void Transpose(const float* keys, int64_t stride, int tokens);
  // Fills scores_ for every query in turn and calls use().
  template <typename Use>
  void ForEachQuery(const Queries& queries, Use use);
  void WeighBySoftmax(const Queries& queries);
  void WeighByExponentials(const Queries& queries);

  const Limits limits_;
  const TokenSelection rule_;
  const CpuKernels& kernels_;
  int padded_ = 0;               // tokens at hand, up to a multiple of kTileTokens
  std::vector<float> keys_;      // (head_dim, padded_), zeros behind the tokens
  std::vector<float> scores_;    // (padded_) of one query
  std::vector<float> largest_;   // (padded_) over all queries
  std::vector<double> weights_;  // (padded_)
  std::vector<int32_t> order_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_
