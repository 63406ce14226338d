#include "engine/sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "engine/sampling/philox.h"

namespace memory3 {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

SamplingParams Greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

int32_t SampleOne(SequenceSampler& sampler, std::vector<float> logits) {
  std::vector<TokenLogprob> top;
  return sampler.Sample(absl::MakeSpan(logits), &top).token;
}

std::vector<double> Normalised(const SamplingParams& params, std::vector<float> logits) {
  SequenceSampler sampler(static_cast<int>(logits.size()));
  sampler.Reset(params, {});
  sampler.FilterToWeights(absl::MakeSpan(logits));
  double total = 0;
  for (const float weight : logits) total += weight;
  std::vector<double> probabilities;
  for (const float weight : logits) probabilities.push_back(weight / total);
  return probabilities;
}

// Pearson's statistic must stay below the 99.9 % quantile (Wilson and Hilferty's approximation).
void ExpectDrawnFrom(const std::vector<double>& probabilities, const std::vector<int>& counts,
                     int draws) {
  double statistic = 0;
  int degrees = -1;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double expected = probabilities[i] * draws;
    if (expected == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " was dropped";
      continue;
    }
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    ++degrees;
  }
  const double spread = 2.0 / (9 * degrees);
  const double limit = degrees * std::pow(1 - spread + 3.09 * std::sqrt(spread), 3);
  EXPECT_LT(statistic, limit) << degrees << " degrees of freedom";
}

TEST(SamplerTest, DrawsFollowTheExactProbabilities) {
  // softmax of these at temperature 2 is known in closed form: weights 8, 4, 2, 1, 1.
  const float step = 2 * std::log(2.0f);
  const std::vector<float> logits = {0, -step, -2 * step, -3 * step, -3 * step};
  struct Case {
    int top_k;
    float top_p, min_p;
    std::vector<double> probabilities;
  };
  const Case cases[] = {
      {0, 1, 0, {8 / 16., 4 / 16., 2 / 16., 1 / 16., 1 / 16.}},
      {3, 1, 0, {8 / 14., 4 / 14., 2 / 14., 0, 0}},
      {4, 1, 0, {8 / 15., 4 / 15., 2 / 15., 1 / 15., 0}},     // tie: the lower id stays
      {0, 0.76f, 0, {8 / 14., 4 / 14., 2 / 14., 0, 0}},       // 0.75 does not reach it
      {0, 0.74f, 0, {8 / 12., 4 / 12., 0, 0, 0}},             // 0.75 does
      {0, 0.9f, 0, {8 / 15., 4 / 15., 2 / 15., 1 / 15., 0}},  // 14/16 < 0.9 <= 15/16
      {3, 0.9f, 0, {8 / 14., 4 / 14., 2 / 14., 0, 0}},        // over the renormalised three
      {3, 0.85f, 0, {8 / 12., 4 / 12., 0, 0, 0}},             // 12/14 reaches it, 12/16 would not
      {0, 1, 0.3f, {8 / 12., 4 / 12., 0, 0, 0}},
      {0, 1, 1, {1, 0, 0, 0, 0}},
      {0, 1e-9f, 0, {1, 0, 0, 0, 0}},
  };
  constexpr int kDraws = 20000;
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message()
                 << "top_k " << c.top_k << " top_p " << c.top_p << " min_p " << c.min_p);
    SamplingParams params;
    params.temperature = 2;
    params.top_k = c.top_k;
    params.top_p = c.top_p;
    params.min_p = c.min_p;
    params.seed = 5;
    EXPECT_THAT(Normalised(params, logits),
                testing::Pointwise(testing::DoubleNear(1e-6), c.probabilities));
    SequenceSampler sampler(5);
    sampler.Reset(params, {});
    std::vector<int> counts(5);
    for (int i = 0; i < kDraws; ++i) ++counts[SampleOne(sampler, logits)];
    if (c.probabilities[0] == 1) {
      EXPECT_EQ(counts[0], kDraws);
    } else {
      ExpectDrawnFrom(c.probabilities, counts, kDraws);
    }
  }
}

TEST(SamplerTest, DrawsOverALargeVocabularyFollowSoftmax) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> logits(1000);  // several summation blocks, the last one partial
  for (float& logit : logits) logit = normal(random);
  std::vector<double> probabilities;
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  for (const float logit : logits)
    probabilities.push_back(std::exp(static_cast<double>(logit)) / total);
  SamplingParams params;
  params.seed = 99;
  SequenceSampler sampler(1000);
  sampler.Reset(params, {});
  constexpr int kDraws = 100000;
  std::vector<int> counts(1000);
  for (int i = 0; i < kDraws; ++i) ++counts[SampleOne(sampler, logits)];
  ExpectDrawnFrom(probabilities, counts, kDraws);
}

TEST(SamplerTest, TokenDependsOnSeedAndPositionAlone) {
  const std::vector<float> flat(500, 0.0f);
  const auto run = [&](uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    SequenceSampler sampler(500);
    sampler.Reset(params, {});
    std::vector<int32_t> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(SampleOne(sampler, flat));
    return tokens;
  };
  const auto tokens = run(42);
  EXPECT_EQ(tokens, run(42));
  EXPECT_NE(tokens, run(43));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(tokens[i], static_cast<int32_t>(CounterUniform(42, i) * 500));
  }
}

TEST(SamplerTest, GreedyTakesTheLowestOfEqualLogits) {
  SequenceSampler sampler(4);
  sampler.Reset(Greedy(), {});
  EXPECT_EQ(SampleOne(sampler, {1, 3, 3, 2}), 1);
  EXPECT_EQ(sampler.generated(), 1);
}

TEST(SamplerTest, PenaltiesMatchHandCalculation) {
  // Token 0 in the prompt, 1 twice in the answer, 2 in both (once in the answer), 3 in neither.
  SamplingParams params = Greedy();
  SequenceSampler sampler(4);
  sampler.Reset(params, {});
  params.temperature = 1;
  params.repetition_penalty = 2;
  params.presence_penalty = 0.5f;
  params.frequency_penalty = 0.25f;
  params.logit_bias = {{1, 1.0f}};
  sampler.Reset(params, {{0, 2}});
  for (const int token : {1, 2, 1}) {
    std::vector<float> only(4, -kInfinity);
    only[token] = 0;
    ASSERT_EQ(SampleOne(sampler, only), token);
  }
  std::vector<float> logits = {2, 3, -1, 0.5f};
  sampler.FilterToWeights(absl::MakeSpan(logits));
  // 2 / 2; (3 + 1) / 2 - 0.5 - 2 * 0.25; -1 * 2 - 0.5 - 0.25; untouched.
  const double adjusted[] = {1, 1, -2.75, 0.5};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(logits[i], std::exp(adjusted[i] - 1), 1e-6) << i;
}

TEST(SamplerTest, PenaltiesAndSuppressionActOnGreedyChoicesToo) {
  SamplingParams params = Greedy();
  params.presence_penalty = 1;
  SequenceSampler sampler(3);
  sampler.Reset(params, {});
  EXPECT_EQ(SampleOne(sampler, {0, 0.5f, 0}), 1);
  EXPECT_EQ(SampleOne(sampler, {0, 0.5f, 0}), 0);
  EXPECT_EQ(SampleOne(sampler, {0, 0.5f, 0}), 2);

  params = Greedy();
  params.min_tokens = 2;
  params.suppressed_until_min = {1};
  sampler.Reset(params, {});
  EXPECT_EQ(SampleOne(sampler, {0, 9, 1}), 2);
  EXPECT_EQ(SampleOne(sampler, {0, 9, 1}), 2);
  EXPECT_EQ(SampleOne(sampler, {0, 9, 1}), 1);
}

TEST(SamplerTest, ResetForgetsTheLastSequence) {
  SamplingParams params = Greedy();
  params.repetition_penalty = 10;
  SequenceSampler sampler(3);
  sampler.Reset(params, {{2}});
  EXPECT_EQ(SampleOne(sampler, {1, 2, 3}), 1);
  sampler.Reset(params, {});
  EXPECT_EQ(SampleOne(sampler, {1, 2, 3}), 2);
}

TEST(SamplerTest, LogprobsComeFromTheModelsOwnLogits) {
  SamplingParams params;
  params.temperature = 0;
  params.top_logprobs = 3;
  params.logit_bias = {{0, 50.0f}};
  SequenceSampler sampler(5);
  sampler.Reset(params, {});
  std::vector<float> logits = {-1, 2, 0.5f, 2, kNaN};
  double sum = 0;
  for (const double logit : {-1.0, 2.0, 0.5, 2.0}) sum += std::exp(logit);
  std::vector<TokenLogprob> top = {{-1, 0}};  // what others asked for before
  const SampledToken sampled = sampler.Sample(absl::MakeSpan(logits), &top);
  EXPECT_EQ(sampled.token, 0);
  EXPECT_NEAR(sampled.logprob, -1 - std::log(sum), 1e-6);
  EXPECT_EQ(sampled.top_begin, 1);
  ASSERT_EQ(sampled.top_count, 3);
  ASSERT_EQ(top.size(), 4u);
  EXPECT_EQ(top[1].token, 1);
  EXPECT_EQ(top[2].token, 3);
  EXPECT_EQ(top[3].token, 2);
  EXPECT_NEAR(top[1].logprob, 2 - std::log(sum), 1e-6);
  EXPECT_NEAR(top[3].logprob, 0.5 - std::log(sum), 1e-6);

  params.top_logprobs = 0;
  sampler.Reset(params, {});
  logits = {-1, 2, 0.5f, 2, kNaN};
  EXPECT_NEAR(sampler.Sample(absl::MakeSpan(logits), &top).logprob, -1 - std::log(sum), 1e-6);
  EXPECT_EQ(top.size(), 4u);

  params.top_logprobs = 20;  // more than there are tokens
  sampler.Reset(params, {});
  logits = {-1, 2, 0.5f, 2, kNaN};
  EXPECT_EQ(sampler.Sample(absl::MakeSpan(logits), &top).top_count, 5);
}

TEST(SamplerTest, LogprobsDoNotChangeTheGreedyTokenAmongInfinities) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const float repetition : {1.0f, 0.5f}) {
    SamplingParams params = Greedy();
    params.repetition_penalty = repetition;
    for (const int top_logprobs : {-1, 0}) {
      params.top_logprobs = top_logprobs;
      SequenceSampler sampler(3);
      sampler.Reset(params, {0});
      std::vector<float> logits = {kLargest, kInfinity, 1.0f};
      std::vector<TokenLogprob> top_logprobs_out;
      EXPECT_EQ(sampler.Sample(absl::MakeSpan(logits), &top_logprobs_out).token, 0)
          << "repetition penalty " << repetition << ", top_logprobs " << top_logprobs;
    }
  }
}

TEST(SamplerTest, NoLogitBreaksIt) {
  const std::vector<std::vector<float>> rows = {{kNaN, kNaN, kNaN},
                                                {-kInfinity, -kInfinity, -kInfinity},
                                                {kNaN, 1, -kInfinity},
                                                {kInfinity, kInfinity, 0},
                                                {-3e38f, 3e38f, kInfinity}};
  const int greedy[] = {0, 0, 1, 0, 2};
  for (const int top_k : {0, 2}) {
    for (const float top_p : {1.0f, 0.5f}) {
      for (const float temperature : {0.0f, 1e-30f, 100.0f}) {
        SamplingParams params;
        params.temperature = temperature;
        params.top_k = top_k;
        params.top_p = top_p;
        params.repetition_penalty = 1e-20f;
        params.top_logprobs = 2;
        for (size_t row = 0; row < rows.size(); ++row) {
          SequenceSampler sampler(3);
          sampler.Reset(params, {{0, 1, 2}});
          std::vector<float> logits = rows[row];
          std::vector<TokenLogprob> top;
          const SampledToken sampled = sampler.Sample(absl::MakeSpan(logits), &top);
          ASSERT_GE(sampled.token, 0);
          ASSERT_LT(sampled.token, 3);
          if (row < 3) {
            EXPECT_EQ(sampled.token, greedy[row]) << "row " << row;
          }
          EXPECT_FALSE(std::isnan(sampled.logprob)) << "row " << row;
        }
      }
    }
  }
  for (size_t row = 0; row < rows.size(); ++row) {
    SequenceSampler sampler(3);
    sampler.Reset(Greedy(), {});
    EXPECT_EQ(SampleOne(sampler, rows[row]), greedy[row]) << "row " << row;
  }
}

}  // namespace
}  // namespace memory3
