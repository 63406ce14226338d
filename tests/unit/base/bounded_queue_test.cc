#include "engine/base/bounded_queue.h"

#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(BoundedQueueTest, RefusesAtTheLimitAndLeavesTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(queue.TryPush(std::move(third)));
  ASSERT_NE(third, nullptr);

  std::vector<std::unique_ptr<int>> popped;
  queue.PopAll(&popped);
  ASSERT_EQ(popped.size(), 2u);
  EXPECT_EQ(*popped[0], 1);
  EXPECT_EQ(*popped[1], 2);
  EXPECT_TRUE(queue.TryPush(std::move(third)));
}

TEST(BoundedQueueTest, KeepsEveryProducersOrder) {
  constexpr int kProducers = 4;
  constexpr int kItems = 2000;
  BoundedQueue<std::pair<int, int>> queue(64);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&queue, producer] {
      for (int i = 0; i < kItems; ++i) {
        while (!queue.TryPush({producer, i})) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  std::vector<std::pair<int, int>> popped;
  for (int total = 0; total < kProducers * kItems;) {
    popped.clear();
    queue.PopAll(&popped);
    for (const auto& [producer, i] : popped) ASSERT_EQ(i, next[producer]++);
    total += static_cast<int>(popped.size());
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_THAT(next, testing::Each(kItems));
}

}  // namespace
}  // namespace memory3
