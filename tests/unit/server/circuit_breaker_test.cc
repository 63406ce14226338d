#include "server/circuit_breaker.h"

#include <gtest/gtest.h>

#include "engine/base/clock.h"

namespace memory3 {
namespace {

constexpr uint64_t kSeed = 20;

class CircuitBreakerTest : public testing::Test {
 protected:
  bool Allow() { return breaker_.Allow(clock_.Steady()); }
  void Fail(int times = 1) {
    for (; times > 0; --times) breaker_.OnFailure(clock_.Steady());
  }
  void Open() { Fail(CircuitBreaker::kFailuresToOpen); }
  // Moves on in small steps until a call is allowed; how long that took.
  absl::Duration UntilAllowed() {
    const absl::Duration begin = clock_.Steady();
    while (!Allow()) clock_.Advance(absl::Milliseconds(1));
    return clock_.Steady() - begin;
  }

  ManualClock clock_;
  CircuitBreaker breaker_{kSeed};
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowOnly) {
  for (int i = 0; i < 10; ++i) {
    Fail(CircuitBreaker::kFailuresToOpen - 1);
    breaker_.OnSuccess();
  }
  EXPECT_TRUE(Allow());
  EXPECT_FALSE(breaker_.open());
  Open();
  EXPECT_TRUE(breaker_.open());
  EXPECT_FALSE(Allow());
  EXPECT_EQ(breaker_.times_opened(), 1u);
  EXPECT_EQ(breaker_.refusals(), 1u);
}

TEST_F(CircuitBreakerTest, LetsOneProbeThroughAtATime) {
  Open();
  UntilAllowed();
  EXPECT_FALSE(Allow());
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(Allow());  // still no word from the probe
  Fail();
  EXPECT_TRUE(breaker_.open());
  UntilAllowed();
  breaker_.OnSuccess();
  EXPECT_FALSE(breaker_.open());
  EXPECT_TRUE(Allow());
  EXPECT_TRUE(Allow());
}

TEST_F(CircuitBreakerTest, PausesGrowWithJitterAndStayBelowASecond) {
  Open();
  absl::Duration longest;
  bool grew = false;
  for (int i = 0; i < 50; ++i) {
    const absl::Duration pause = UntilAllowed();
    EXPECT_LE(pause, CircuitBreaker::kLongestPause + absl::Milliseconds(1));
    EXPECT_GE(pause, CircuitBreaker::kFirstPause / 2);
    grew |= pause > 2 * CircuitBreaker::kFirstPause;
    longest = std::max(longest, pause);
    Fail();
  }
  EXPECT_TRUE(grew);
  EXPECT_LT(longest, absl::Seconds(1));
  EXPECT_EQ(breaker_.times_opened(), 1u);
  // What worked in between starts afresh with short pauses.
  UntilAllowed();
  breaker_.OnSuccess();
  Open();
  EXPECT_LE(UntilAllowed(), CircuitBreaker::kFirstPause + absl::Milliseconds(1));
}

TEST_F(CircuitBreakerTest, LateFailuresOfEarlierCallsChangeNothing) {
  Open();
  Fail(20);
  EXPECT_LE(UntilAllowed(), CircuitBreaker::kFirstPause + absl::Milliseconds(1));
}

}  // namespace
}  // namespace memory3
