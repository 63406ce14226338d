#include "engine/sampling/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace memory3 {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Values from a small set, so that ties are everywhere.
std::vector<float> RandomScores(std::mt19937& random, int count, int distinct) {
  std::vector<float> scores(count);
  for (float& score : scores) score = static_cast<int>(random() % distinct) * 0.5f - 3;
  return scores;
}

std::vector<Candidate> Sorted(const std::vector<float>& scores) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < scores.size(); ++i) all.push_back({scores[i], static_cast<int32_t>(i)});
  std::sort(all.begin(), all.end(), IsBetter);
  return all;
}

TEST(CandidatesTest, SelectBestEqualsASortWithTies) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    const int vocab = 1 + random() % 6000;
    const auto scores = RandomScores(random, vocab, 1 + random() % 5000);
    const int count = 1 + random() % std::min(vocab, round % 2 ? 50 : vocab);
    std::vector<Candidate> best;
    SelectBest(scores, count, &best);
    const auto sorted = Sorted(scores);
    ASSERT_EQ(best.size(), static_cast<size_t>(count));
    EXPECT_EQ(best.back().token, sorted[count - 1].token) << "round " << round;
    std::sort(best.begin(), best.end(), IsBetter);
    for (int i = 0; i < count; ++i) ASSERT_EQ(best[i].token, sorted[i].token) << "round " << round;
  }
}

TEST(CandidatesTest, SelectBestTakesMinusInfinityWhenThereIsNothingElse) {
  const std::vector<float> scores = {-kInfinity, 1, -kInfinity, -kInfinity};
  std::vector<Candidate> best;
  SelectBest(scores, 3, &best);
  EXPECT_EQ(best.back().token, 2);
}

TEST(CandidatesTest, NucleusCutoffEqualsASort) {
  std::mt19937 random(12);
  for (int round = 0; round < 300; ++round) {
    const int vocab = 1 + random() % 5000;
    auto weights = RandomScores(random, vocab, 1 + random() % 60);
    const float scale = 1 << (random() % 4);
    for (float& weight : weights)
      weight = weight < -2 ? 0 : std::exp2(std::min(weight * scale - 40, 0.0f));
    weights[random() % vocab] = 1;
    std::vector<double> sums;
    const double total = SumInBlocks(weights, &sums);
    const double mass = total * (1 + random() % 999) / 1000;
    std::vector<Candidate> scratch;
    const Candidate worst = NucleusCutoff(weights, mass, total, &scratch);
    double sum = 0;
    for (const Candidate& candidate : Sorted(weights)) {
      sum += candidate.score;
      if (sum >= mass) {
        ASSERT_EQ(candidate.token, worst.token) << "round " << round;
        break;
      }
    }
  }
}

TEST(CandidatesTest, ArgMaxPrefersTheLowerIdAndPassesOverNaN) {
  for (int size = 1; size < 70; ++size) {
    for (int at = 0; at < size; ++at) {
      std::vector<float> scores(size, kNaN);
      EXPECT_EQ(ArgMax(scores), 0);
      scores[at] = -5;
      EXPECT_EQ(ArgMax(scores), at);
      if (at > 0) scores[at - 1] = -5;
      EXPECT_EQ(ArgMax(scores), std::max(at - 1, 0));
      scores[size - 1] = kInfinity;
      EXPECT_EQ(ArgMax(scores), size - 1);
    }
  }
}

TEST(CandidatesTest, WeightsAreAccurateOverTheWholeRange) {
  std::vector<float> scores;
  for (double x = 0; x > -95; x -= 0.0137) scores.push_back(static_cast<float>(x));
  const std::vector<float> before = scores;
  ToWeights(absl::MakeSpan(scores), 0, 1);
  double sum = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double exact = std::exp(static_cast<double>(before[i]));
    sum += exact;
    if (before[i] < -87) {
      EXPECT_EQ(scores[i], 0);
    } else {
      ASSERT_NEAR(scores[i] / exact, 1, 2e-7) << before[i];
    }
  }
  EXPECT_EQ(scores[0], 1);
  EXPECT_NEAR(SumOfExp(before, 0) / sum, 1, 1e-6);
  std::vector<float> edge = {-kInfinity, -1e30f, kNaN};
  ToWeights(absl::MakeSpan(edge), 0, 1e-30f);
  EXPECT_EQ(edge[0], 0);
  EXPECT_EQ(edge[1], 0);
  EXPECT_TRUE(std::isnan(edge[2]));
}

}  // namespace
}  // namespace memory3
