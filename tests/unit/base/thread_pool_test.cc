#include "engine/base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/cpu_count.h"

namespace memory3 {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryPartOnceAndReturnsWhenAllAreDone) {
  ThreadPool pool(GetParam());
  std::vector<int> runs(GetParam(), 0);  // each written by its own part only
  for (int loop = 1; loop <= 5000; ++loop) {
    pool.Run([&](int part, int parts) {
      ASSERT_EQ(parts, GetParam());
      ++runs[part];
    });
    for (int part = 0; part < GetParam(); ++part) ASSERT_EQ(runs[part], loop);
  }
}

TEST_P(ThreadPoolTest, WakesSleepingWorkers) {
  ThreadPool pool(GetParam());
  for (int loop = 0; loop < 5; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than the workers spin
    std::atomic<int> parts_run{0};
    pool.Run([&](int, int) { ++parts_run; });
    EXPECT_EQ(parts_run, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST(ThreadPoolDeathTest, RefusesNestedLoops) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.Run([&](int part, int) {
          if (part == 0) pool.Run([](int, int) {});
        });
      },
      "check failed");
}

TEST(ShareOf, CoversEverythingOnceAndEvenly) {
  for (int parts = 1; parts <= 7; ++parts) {
    for (int64_t count = 0; count <= 30; ++count) {
      int64_t next = 0;
      for (int part = 0; part < parts; ++part) {
        const Range share = ShareOf(count, part, parts);
        EXPECT_EQ(share.begin, next);
        EXPECT_LE(share.end - share.begin, count / parts + 1);
        next = share.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(AlignedBuffer, IsZeroAndAligned) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{5} << 20}) {
    const AlignedBuffer buffer(bytes);
    EXPECT_EQ(buffer.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(buffer.data()[i], 0);
  }
}

TEST(CpuCount, IsAtLeastOne) { EXPECT_GE(UsableCores(), 1); }

}  // namespace
}  // namespace memory3
