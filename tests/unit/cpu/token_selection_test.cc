// Which tokens are kept, against the definition in double precision.
#include "engine/cpu/token_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace memory3 {
namespace {

using ::testing::ElementsAre;

constexpr TokenSelection kRules[] = {TokenSelection::kSoftmaxSum, TokenSelection::kExpSum};

std::vector<const CpuKernels*> SupportedKernels() {
  std::vector<const CpuKernels*> kernels;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16}) {
    if (IsSupported(isa)) kernels.push_back(&KernelsFor(isa));
  }
  return kernels;
}

// Queries of `group` heads and one key per token, side by side, and something behind them.
struct Reference {
  Reference(int tokens_in, int group_in, int head_dim_in, double size, std::mt19937& random)
      : tokens(tokens_in), group(group_in), head_dim(head_dim_in), stride((group + 2) * head_dim) {
    std::normal_distribution<double> normal(0, size);
    rows.resize(int64_t{tokens} * stride);
    for (float& x : rows) x = static_cast<float>(normal(random));
  }

  const float* Query(int token, int head) const {
    return rows.data() + int64_t{token} * stride + head * head_dim;
  }
  const float* Key(int token) const { return Query(token, group); }

  // Logarithms of the tokens' weights.
  std::vector<double> LogWeights(TokenSelection rule) const {
    std::vector<double> weights(tokens, -INFINITY);
    const auto add = [](double a, double b) {
      return std::max(a, b) + std::log1p(std::exp(std::min(a, b) - std::max(a, b)));
    };
    for (int query = 0; query < tokens * group; ++query) {
      std::vector<double> scores(tokens);
      double all = -INFINITY;
      for (int token = 0; token < tokens; ++token) {
        const float* q = Query(query / group, query % group);
        for (int d = 0; d < head_dim; ++d) scores[token] += double{q[d]} * Key(token)[d];
        scores[token] /= std::sqrt(head_dim);
        all = token == 0 ? scores[0] : add(all, scores[token]);
      }
      for (int token = 0; token < tokens; ++token) {
        const double weight = scores[token] - (rule == TokenSelection::kSoftmaxSum ? all : 0);
        weights[token] = query == 0 ? weight : add(weights[token], weight);
      }
    }
    return weights;
  }

  int tokens, group, head_dim, stride;
  std::vector<float> rows;
};

std::vector<int32_t> Kept(TokenSelector& selector, const Reference& reference) {
  const absl::Span<const int32_t> kept =
      selector.Select(reference.Query(0, 0), reference.Key(0), reference.stride, reference.tokens);
  return {kept.begin(), kept.end()};
}

TEST(TokenSelectionTest, KeepsTheHeaviestTokens) {
  constexpr int kMaxTokens = 128;
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    const TokenSelection rule = kRules[round % 2];
    const int group = 1 + static_cast<int>(random() % 8), head_dim = 2 * (1 + random() % 40);
    const int kept = 1 + static_cast<int>(random() % 20);
    // Scores beyond 1000: their exponentials leave the range of any floating-point type.
    const double size = rule == TokenSelection::kExpSum && round % 3 == 0 ? 40 : 1;
    std::vector<Reference> references;
    for (int i = 0; i < 3; ++i) {
      references.emplace_back(1 + random() % kMaxTokens, group, head_dim, size, random);
    }
    for (const CpuKernels* kernels : SupportedKernels()) {
      TokenSelector selector({head_dim, group, kMaxTokens, kept}, rule, *kernels);
      for (const Reference& reference : references) {
        const std::vector<double> weights = reference.LogWeights(rule);
        std::vector<int32_t> order(reference.tokens);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [&](int a, int b) { return weights[a] > weights[b]; });
        const std::vector<int32_t> got = Kept(selector, reference);
        ASSERT_EQ(got.size(), std::min<size_t>(kept, reference.tokens));
        ASSERT_TRUE(std::is_sorted(got.begin(), got.end(), std::less_equal<>()));
        // The lightest kept may change places with what is as heavy to single precision.
        const double border = weights[order[got.size() - 1]];
        const double rounding = 1e-5 * std::max(1.0, std::abs(border));
        for (const int32_t token : got) EXPECT_GE(weights[token], border - rounding);
      }
    }
  }
}

TEST(TokenSelectionTest, TiesGoToTheLowerToken) {
  std::mt19937 random(1);
  Reference reference(50, 3, 10, 1, random);
  // Tokens 7, 20 and 41 are the same and heavier than the rest.
  for (int token = 0; token < reference.tokens; ++token) {
    float* row = reference.rows.data() + int64_t{token} * reference.stride;
    const bool heavy = token == 7 || token == 20 || token == 41;
    for (int i = 0; i < reference.stride; ++i) row[i] = heavy ? 3.0f : 0.5f + 0.01f * token;
  }
  for (const TokenSelection rule : kRules) {
    for (const CpuKernels* kernels : SupportedKernels()) {
      TokenSelector two({10, 3, 64, 2}, rule, *kernels), four({10, 3, 64, 4}, rule, *kernels);
      EXPECT_THAT(Kept(two, reference), ElementsAre(7, 20));
      EXPECT_THAT(Kept(four, reference), ElementsAre(7, 20, 41, 49));
    }
  }
}

TEST(TokenSelectionTest, AShortReferenceIsKeptWhole) {
  std::mt19937 random(1);
  const Reference reference(3, 2, 6, 1, random);
  for (const TokenSelection rule : kRules) {
    TokenSelector selector({6, 2, 16, 8}, rule, KernelsFor(BestIsa()));
    EXPECT_THAT(Kept(selector, reference), ElementsAre(0, 1, 2));
  }
}

}  // namespace
}  // namespace memory3
