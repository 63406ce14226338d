#include "engine/sampling/philox.h"

#include <gtest/gtest.h>

namespace memory3 {
namespace {

// Known answers published with the generator (Random123, kat_vectors, philox4x32 with 10 rounds).
TEST(PhiloxTest, MatchesPublishedVectors) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterUniformTest, IsTheFirstWordsOfTheBlock) {
  const double expected =
      static_cast<double>((uint64_t{0x6627e8d5 >> 5} << 26) | (0xe169c58d >> 6)) / 9007199254740992;
  EXPECT_EQ(CounterUniform(0, 0), expected);
}

TEST(CounterUniformTest, StaysInTheHalfOpenIntervalAndUsesAllOfSeedAndCounter) {
  double sum = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = CounterUniform(7, i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  EXPECT_NE(CounterUniform(1, 0), CounterUniform(uint64_t{1} << 32, 0));
  EXPECT_NE(CounterUniform(0, 1), CounterUniform(0, uint64_t{1} << 32));
}

}  // namespace
}  // namespace memory3
