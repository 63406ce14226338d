#include "retrieval/base/exact_math.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "retrieval/index/inner_product.h"

namespace memory3 {
namespace {

TEST(ExactLogTest, AgreesWithTheMathsLibrary) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-40, 40);
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::exp2(exponent(random));
    EXPECT_NEAR(ExactLog(x), std::log(x), 1e-14 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  EXPECT_EQ(ExactLog(1), 0);
}

TEST(InnerProductTest, HasTheSameBitsWithEveryInstructionSet) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const int count : {0, 1, 31, 32, 33, 100, 384, 1024, 1037}) {
    std::vector<float> a(static_cast<size_t>(count)), b(a.size());
    double expected = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      a[i] = normal(random);
      b[i] = normal(random);
      expected += static_cast<double>(a[i]) * b[i];
    }
    const float first = UsableInnerProducts().front()(a.data(), b.data(), count);
    EXPECT_NEAR(first, expected, 1e-4) << count;
    for (const InnerProductFn inner_product : UsableInnerProducts()) {
      EXPECT_EQ(inner_product(a.data(), b.data(), count), first) << count;
    }
  }
}

}  // namespace
}  // namespace memory3
