#include "tools/percentiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace memory3 {
namespace {

TEST(PercentilesTest, NearestRankOfSmallSets) {
  const Percentiles one({7});
  EXPECT_EQ(one.At(1), 7);
  EXPECT_EQ(one.At(100), 7);
  const Percentiles five({50, 20, 40, 15, 35});
  EXPECT_EQ(five.At(5), 15);
  EXPECT_EQ(five.At(30), 20);
  EXPECT_EQ(five.At(40), 20);
  EXPECT_EQ(five.At(50), 35);
  EXPECT_EQ(five.At(100), 50);
}

TEST(PercentilesTest, RoundingDoesNotReachTheNextRank) {
  std::vector<double> samples;
  for (int i = 1; i <= 1000; ++i) samples.push_back(i);
  const Percentiles percentiles(samples);
  EXPECT_EQ(percentiles.At(99.9), 999);
  EXPECT_EQ(percentiles.At(99), 990);
  EXPECT_EQ(percentiles.At(0.1), 1);
}

TEST(PercentilesTest, AgreesWithCounting) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::vector<double> samples(997);
  for (double& sample : samples) sample = static_cast<double>(random() % 300);
  const Percentiles percentiles(samples);
  for (int percent = 1; percent <= 100; ++percent) {
    const double value = percentiles.At(percent);
    const auto covered = [&](double limit, bool inclusive) {
      return std::count_if(samples.begin(), samples.end(),
                           [&](double s) { return inclusive ? s <= limit : s < limit; });
    };
    EXPECT_GE(covered(value, true) * 100, percent * 997) << percent;
    EXPECT_LT(covered(value, false) * 100, percent * 997) << percent;
  }
}

}  // namespace
}  // namespace memory3
