#include "common/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace memory3 {
namespace {

TEST(WorkQueue, RunsEverythingItTookAndRefusesWhatIsTooMuch) {
  std::promise<void> gate, started;
  std::shared_future<void> open = gate.get_future().share();
  std::atomic<int> ran = 0;
  {
    WorkQueue queue(1, 2);
    ASSERT_TRUE(queue.TryPush([&] {
      started.set_value();
      open.wait();
      ++ran;
    }));
    started.get_future().wait();  // the worker holds it; nothing is pending
    EXPECT_TRUE(queue.TryPush([&] { ++ran; }));
    EXPECT_TRUE(queue.TryPush([&] { ++ran; }));
    EXPECT_FALSE(queue.TryPush([&] { ran += 100; }));
    gate.set_value();
  }
  EXPECT_EQ(ran, 3);
}

TEST(WorkQueue, JoinRunsWhatIsPendingAndThenTakesNothing) {
  int ran = 0;  // read after the threads are gone
  WorkQueue queue(1, 8);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(queue.TryPush([&] { ++ran; }));
  queue.Join();
  EXPECT_EQ(ran, 5);
  EXPECT_FALSE(queue.TryPush([&] { ++ran; }));
  queue.Join();
  EXPECT_EQ(ran, 5);
}

}  // namespace
}  // namespace memory3
