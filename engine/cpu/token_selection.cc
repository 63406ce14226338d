#include "engine/cpu/token_selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace memory3 {

TokenSelector::TokenSelector(const Limits& limits, TokenSelection rule)
    : limits_(limits),
      rule_(rule),
      keys_(int64_t{limits.head_dim} * limits.max_tokens),
      scores_((rule == TokenSelection::kExpSum ? int64_t{limits.group} * limits.max_tokens : 1) *
              limits.max_tokens),
      weights_(limits.max_tokens),
      order_(limits.max_tokens) {}

absl::Span<const int32_t> TokenSelector::Select(const float* queries, const float* keys,
                                                int64_t stride, int tokens) {
  Transpose(keys, stride, tokens);
  std::fill_n(weights_.begin(), tokens, 0.0);
  const bool keep_scores = rule_ == TokenSelection::kExpSum;
  float* scores = scores_.data();
  for (int token = 0; token < tokens; ++token) {
    for (int head = 0; head < limits_.group; ++head) {
      Score(queries + token * stride + int64_t{head} * limits_.head_dim, tokens, scores);
      if (keep_scores) {
        scores += tokens;
      } else {
        AddSoftmax(scores, tokens);
      }
    }
  }
  if (keep_scores) WeighBySumOfExponentials(tokens * limits_.group, tokens);

  const int kept = std::min(limits_.kept_tokens, tokens);
  std::iota(order_.begin(), order_.begin() + tokens, 0);
  std::partial_sort(order_.begin(), order_.begin() + kept, order_.begin() + tokens,
                    [this](int32_t a, int32_t b) {
                      return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
                    });
  std::sort(order_.begin(), order_.begin() + kept);
  return absl::MakeConstSpan(order_).first(kept);
}

void TokenSelector::Transpose(const float* keys, int64_t stride, int tokens) {
  for (int token = 0; token < tokens; ++token) {
    const float* key = keys + token * stride;
    for (int d = 0; d < limits_.head_dim; ++d) keys_[int64_t{d} * tokens + token] = key[d];
  }
}

// Tokens side by side, so that the compiler can use vectors without changing the order of a sum.
void TokenSelector::Score(const float* query, int tokens, float* scores) const {
  std::fill_n(scores, tokens, 0.0f);
  for (int d = 0; d < limits_.head_dim; ++d) {
    const float* keys = keys_.data() + int64_t{d} * tokens;
    const float q = query[d];
    for (int token = 0; token < tokens; ++token) scores[token] += q * keys[token];
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(limits_.head_dim));
  for (int token = 0; token < tokens; ++token) scores[token] *= scale;
}

void TokenSelector::AddSoftmax(const float* scores, int tokens) {
  const float largest = *std::max_element(scores, scores + tokens);
  double sum = 0;
  for (int token = 0; token < tokens; ++token) sum += std::exp(scores[token] - largest);
  const double scale = 1 / sum;
  for (int token = 0; token < tokens; ++token) {
    weights_[token] += scale * std::exp(scores[token] - largest);
  }
}

// In log space, relative to a token's own largest score: the exponentials of unscaled sums
// overflow.
void TokenSelector::WeighBySumOfExponentials(int rows, int tokens) {
  for (int token = 0; token < tokens; ++token) {
    float largest = scores_[token];
    for (int row = 1; row < rows; ++row) {
      largest = std::max(largest, scores_[int64_t{row} * tokens + token]);
    }
    double sum = 0;
    for (int row = 0; row < rows; ++row) {
      sum += std::exp(scores_[int64_t{row} * tokens + token] - largest);
    }
    weights_[token] = largest + std::log(sum);
  }
}

}  // namespace memory3
