#include "engine/base/clock.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(WakeSignalTest, ASetBeforeTheWaitIsRemembered) {
  WakeSignal signal;
  signal.Set();
  signal.WaitFor(absl::InfiniteDuration());  // returns at once or the test hangs
}

TEST(WakeSignalTest, SetWakesASleeper) {
  WakeSignal signal;
  std::atomic<bool> done = false;
  std::thread sleeper([&] {
    while (!done) signal.WaitFor(absl::InfiniteDuration());
  });
  done = true;
  signal.Set();
  sleeper.join();
}

TEST(RealClockTest, SleepEndsByItself) {
  RealClock clock;
  WakeSignal signal;
  const absl::Duration until = clock.Steady() + absl::Milliseconds(5);
  while (clock.Steady() < until) clock.SleepUntil(until, signal);
  EXPECT_GT(clock.Now(), absl::FromUnixSeconds(1'600'000'000));
}

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock;
  const absl::Time start = clock.Now();
  clock.Advance(absl::Seconds(3));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(3));
  EXPECT_EQ(clock.Steady(), absl::Seconds(3));
  clock.JumpCalendar(-absl::Hours(1));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(3) - absl::Hours(1));
  EXPECT_EQ(clock.Steady(), absl::Seconds(3));
}

TEST(ManualClockTest, AdvanceWakesASleeper) {
  ManualClock clock;
  WakeSignal signal;
  std::thread sleeper([&] {
    while (clock.Steady() < absl::Seconds(60)) clock.SleepUntil(absl::Seconds(60), signal);
  });
  clock.Advance(absl::Seconds(30));
  clock.Advance(absl::Seconds(30));
  sleeper.join();
}

}  // namespace
}  // namespace memory3
