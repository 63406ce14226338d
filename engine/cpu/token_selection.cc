#include "engine/cpu/token_selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace memory3 {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

int PaddedTokens(int tokens) { return (tokens + kTileTokens - 1) / kTileTokens * kTileTokens; }

}  // namespace

TokenSelector::TokenSelector(const Limits& limits, TokenSelection rule, const CpuKernels& kernels)
    : limits_(limits),
      rule_(rule),
      kernels_(kernels),
      keys_(int64_t{limits.head_dim} * PaddedTokens(limits.max_tokens)),
      scores_(PaddedTokens(limits.max_tokens)),
      largest_(PaddedTokens(limits.max_tokens)),
      weights_(PaddedTokens(limits.max_tokens)),
      order_(limits.max_tokens) {}

absl::Span<const int32_t> TokenSelector::Select(const float* queries, const float* keys,
                                                int64_t stride, int tokens) {
  padded_ = PaddedTokens(tokens);
  Transpose(keys, stride, tokens);
  std::fill_n(weights_.begin(), padded_, 0.0);
  const Queries all = {queries, stride, tokens};
  if (rule_ == TokenSelection::kSoftmaxSum) {
    WeighBySoftmax(all);
  } else {
    WeighByExponentials(all);
  }

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
  std::fill_n(keys_.begin(), int64_t{limits_.head_dim} * padded_, 0.0f);
  for (int token = 0; token < tokens; ++token) {
    const float* key = keys + token * stride;
    for (int d = 0; d < limits_.head_dim; ++d) keys_[int64_t{d} * padded_ + token] = key[d];
  }
}

template <typename Use>
void TokenSelector::ForEachQuery(const Queries& queries, Use use) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(limits_.head_dim));
  for (int token = 0; token < queries.tokens; ++token) {
    for (int head = 0; head < limits_.group; ++head) {
      const float* query = queries.first + token * queries.stride + head * limits_.head_dim;
      kernels_.score_keys(query, keys_.data(), limits_.head_dim, padded_, scale, scores_.data());
      use();
    }
  }
}

void TokenSelector::WeighBySoftmax(const Queries& queries) {
  ForEachQuery(queries, [&] {
    std::fill(scores_.begin() + queries.tokens, scores_.begin() + padded_, kMinusInfinity);
    kernels_.add_softmax(scores_.data(), padded_, weights_.data());
  });
}

// In log space, relative to a token's own largest score: the exponentials of unscaled scores
// overflow. Scores are computed twice rather than kept: they are the square of a reference.
void TokenSelector::WeighByExponentials(const Queries& queries) {
  std::fill_n(largest_.begin(), padded_, kMinusInfinity);
  ForEachQuery(queries, [&] {
    for (int t = 0; t < padded_; ++t) largest_[t] = std::max(largest_[t], scores_[t]);
  });
  ForEachQuery(queries, [&] {
    kernels_.add_exponentials(scores_.data(), largest_.data(), padded_, weights_.data());
  });
  for (int t = 0; t < queries.tokens; ++t) {
    weights_[t] = static_cast<double>(largest_[t]) + std::log(weights_[t]);
  }
}

}  // namespace memory3
