#include "engine/memory/record_buffers.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace memory3 {
namespace {

constexpr int64_t kRecord = 8192;

TEST(RecordBuffersTest, GivesFixedOnesFirstAndNeverMoreThanTheLimit) {
  const auto buffers = RecordBuffers::Create(kRecord, /*limit=*/5, /*fixed=*/2);
  EXPECT_EQ(buffers->fixed_block().size(), 2 * kRecord);
  std::vector<std::shared_ptr<uint8_t>> taken;
  std::set<uint8_t*> distinct;
  for (int i = 0; i < 5; ++i) {
    taken.push_back(buffers->Take());
    ASSERT_NE(taken.back(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(taken.back().get()) % 4096, 0);
    EXPECT_EQ(buffers->IsFixed(taken.back().get()), i < 2);
    std::fill_n(taken.back().get(), kRecord, static_cast<uint8_t>(i));
    distinct.insert(taken.back().get());
  }
  EXPECT_EQ(distinct.size(), 5);
  EXPECT_EQ(buffers->Take(), nullptr);
  EXPECT_EQ(buffers->in_use(), 5);

  uint8_t* const plain = taken[4].get();
  taken[4].reset();
  const auto again = buffers->Take();
  EXPECT_EQ(again.get(), plain);  // used again, not allocated
  taken[0].reset();
  EXPECT_TRUE(buffers->IsFixed(buffers->Take().get()));
}

TEST(RecordBuffersTest, OutlivesItsOwnerWhileABufferIsOut) {
  auto buffers = RecordBuffers::Create(kRecord, 2, 1);
  const auto fixed = buffers->Take();
  const auto plain = buffers->Take();
  buffers.reset();
  std::fill_n(fixed.get(), kRecord, uint8_t{1});
  std::fill_n(plain.get(), kRecord, uint8_t{2});
}

TEST(RecordBuffersTest, ABufferHasOneOwnerAtATime) {
  const auto buffers = RecordBuffers::Create(kRecord, 6, 3);
  std::atomic<int> clashes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const auto buffer = buffers->Take();
        if (buffer == nullptr) continue;
        std::fill_n(buffer.get(), kRecord, static_cast<uint8_t>(t));
        for (int at = 0; at < kRecord; at += 1000) clashes += buffer.get()[at] != t;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clashes, 0);
  EXPECT_EQ(buffers->in_use(), 0);
}

}  // namespace
}  // namespace memory3
