#include "server/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace memory3 {
namespace {

class Counter : public DispatchItem {
 public:
  void Dispatch() override { ++dispatched; }
  std::atomic<int> dispatched = 0;
};

// Holds the dispatcher until it is let go.
class Gate : public DispatchItem {
 public:
  void Dispatch() override {
    entered.set_value();
    open.get_future().wait();
  }
  std::promise<void> entered, open;
};

TEST(Dispatcher, DispatchesAScheduledItemOnceHoweverOftenItIsScheduled) {
  auto gate = std::make_shared<Gate>();
  auto counter = std::make_shared<Counter>();
  {
    Dispatcher dispatcher;
    dispatcher.Schedule(gate);
    gate->entered.get_future().wait();
    for (int i = 0; i < 10; ++i) dispatcher.Schedule(counter);
    gate->open.set_value();
  }
  EXPECT_EQ(counter->dispatched, 1);
}

TEST(Dispatcher, LosesNoWakeUpFromManyThreads) {
  std::vector<std::shared_ptr<Counter>> counters;
  for (int i = 0; i < 20; ++i) counters.push_back(std::make_shared<Counter>());
  {
    Dispatcher dispatcher;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int round = 0; round < 500; ++round) {
          for (const auto& counter : counters) dispatcher.Schedule(counter);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (const auto& counter : counters) {
    EXPECT_GE(counter->dispatched, 1);
    EXPECT_EQ(counter.use_count(), 1);
  }
}

}  // namespace
}  // namespace memory3
