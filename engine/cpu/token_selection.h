// Which tokens of a reference are kept in one KV head (paper, 3.3): those that its own tokens
// attend to most, without positions and without a causal mask.
#ifndef MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_
#define MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/model/memory_config.h"

namespace memory3 {

// Working memory of one thread. Not thread-safe.
class TokenSelector {
 public:
  struct Limits {
    int head_dim = 0;
    int group = 0;       // query heads of the KV head
    int max_tokens = 0;  // of a reference
    int kept_tokens = 0;
  };
  TokenSelector(const Limits& limits, TokenSelection rule);

  // Token t's query heads (group of them, side by side) at queries + t * stride, its key at
  // keys + t * stride, all before RoPE. Returns min(kept_tokens, tokens) tokens, ascending; ties go
  // to the lower one. Valid until the next call.
  absl::Span<const int32_t> Select(const float* queries, const float* keys, int64_t stride,
                                   int tokens);

 private:
  void Transpose(const float* keys, int64_t stride, int tokens);
  // Scores of one query against every token.
  void Score(const float* query, int tokens, float* scores) const;
  void AddSoftmax(const float* scores, int tokens);
  void WeighBySumOfExponentials(int rows, int tokens);

  const Limits limits_;
  const TokenSelection rule_;
  std::vector<float> keys_;      // (head_dim, max_tokens)
  std::vector<float> scores_;    // (group x max_tokens, max_tokens) for kExpSum, else one row
  std::vector<double> weights_;  // (max_tokens)
  std::vector<int32_t> order_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_TOKEN_SELECTION_H_
