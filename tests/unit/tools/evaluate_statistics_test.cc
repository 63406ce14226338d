#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tools/evaluate/statistics.h"

namespace memory3 {
namespace {

// From Wilson's formula evaluated in rational arithmetic elsewhere.
TEST(StatisticsTest, WilsonIntervalsAreThePublishedOnes) {
  const Interval some = WilsonInterval({.successes = 8, .trials = 10});
  EXPECT_NEAR(some.low, 0.49016, 1e-5);
  EXPECT_NEAR(some.high, 0.94332, 1e-5);
  const Interval all = WilsonInterval({.successes = 20, .trials = 20});
  EXPECT_NEAR(all.low, 0.83887, 1e-5);
  EXPECT_DOUBLE_EQ(all.high, 1);
  const Interval none = WilsonInterval({.successes = 0, .trials = 1000});
  EXPECT_DOUBLE_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.0038267, 1e-6);
}

TEST(StatisticsTest, NothingTriedIsNothingKnown) {
  EXPECT_EQ(Describe(Proportion{}), "–");
  EXPECT_EQ(Describe({.successes = 1, .trials = 2}), "0.500 [0.095, 0.905]");
}

TEST(StatisticsTest, MeanAndItsError) {
  const MeanError mean = MeanOf({1.0, 2.0, 3.0, 6.0});
  EXPECT_DOUBLE_EQ(mean.mean, 3);
  EXPECT_NEAR(mean.error, std::sqrt(14.0 / 12), 1e-12);
  EXPECT_EQ(MeanOf({5.0}).error, 0);
}

TEST(StatisticsTest, ShareOfWayCoversTheTruthAboutAsOftenAsItSays) {
  std::mt19937_64 random(20260401);
  std::normal_distribution<double> scatter(0, 0.3);
  int covered = 0;
  constexpr int kTrials = 60;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> from, at, to;
    for (int text = 0; text < 80; ++text) {
      const double gain = 1 + scatter(random);
      from.push_back(3 + scatter(random));
      at.push_back(from.back() - 0.8 * gain + 0.1 * scatter(random));
      to.push_back(from.back() - gain + 0.1 * scatter(random));
    }
    const ShareOfGain share = ShareOfWay(from, at, to);
    EXPECT_NEAR(share.share, 0.8, 0.05);
    covered += share.interval.low <= 0.8 && 0.8 <= share.interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, kTrials * 8 / 10);
}

}  // namespace
}  // namespace memory3
