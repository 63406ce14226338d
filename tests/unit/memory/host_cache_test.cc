#include "engine/memory/host_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace memory3 {
namespace {

MemoryKey Key(MemoryId id) { return {1, id}; }

// Of `blocks` blocks.
SharedMemory Memory(int blocks) {
  auto tensor = std::make_shared<MemoryTensor>();
  auto buffer = std::make_shared<AlignedBuffer>(blocks * kRecordAlignment, kRecordAlignment);
  tensor->bytes = {buffer->data(), buffer->size()};
  tensor->owner = std::move(buffer);
  return tensor;
}

TEST(HostCacheTest, TheLeastRecentlyUsedLeavesFirst) {
  HostCache cache(3 * kRecordAlignment);
  std::vector<SharedMemory> evicted;
  const SharedMemory first = Memory(1);
  cache.Put(Key(1), first, &evicted);
  const SharedMemory second = Memory(1);
  cache.Put(Key(2), second, &evicted);
  cache.Put(Key(3), Memory(1), &evicted);
  EXPECT_EQ(cache.Get(Key(1)), first);  // now younger than 2 and 3
  EXPECT_TRUE(evicted.empty());
  cache.Put(Key(4), Memory(1), &evicted);
  ASSERT_EQ(evicted.size(), 1);
  EXPECT_EQ(evicted[0], second);
  EXPECT_EQ(cache.Get(Key(2)), nullptr);
  EXPECT_EQ(cache.bytes(), 3 * kRecordAlignment);
}

TEST(HostCacheTest, WhatIsLargerThanTheBudgetIsNotKept) {
  HostCache cache(2 * kRecordAlignment);
  std::vector<SharedMemory> evicted;
  cache.Put(Key(1), Memory(1), &evicted);
  cache.Put(Key(2), Memory(3), &evicted);
  EXPECT_EQ(evicted.size(), 1);
  EXPECT_NE(cache.Get(Key(1)), nullptr);
  HostCache none(0);
  none.Put(Key(1), Memory(1), &evicted);
  EXPECT_EQ(none.Get(Key(1)), nullptr);
  EXPECT_EQ(none.bytes(), 0);
}

TEST(HostCacheTest, ReplacingAndRemovingKeepTheBooks) {
  HostCache cache(4 * kRecordAlignment);
  std::vector<SharedMemory> evicted;
  cache.Put(Key(1), Memory(3), &evicted);
  cache.Put(Key(1), Memory(1), &evicted);
  EXPECT_EQ(cache.bytes(), kRecordAlignment);
  EXPECT_NE(cache.Remove(Key(1)), nullptr);
  EXPECT_EQ(cache.Remove(Key(1)), nullptr);
  EXPECT_EQ(cache.bytes(), 0);
}

// Against a list that is searched from end to end.
TEST(HostCacheTest, AgreesWithANaiveModelUnderRandomUse) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  constexpr int kBudget = 20;  // blocks
  std::mt19937_64 random(kSeed);
  HostCache cache(kBudget * kRecordAlignment);
  std::vector<std::pair<MemoryId, SharedMemory>> model;  // least recently used first
  const auto blocks = [](const SharedMemory& m) { return m->bytes.size() / kRecordAlignment; };
  for (int step = 0; step < 20000; ++step) {
    const MemoryId id = random() % 30;
    const auto found = std::find_if(model.begin(), model.end(),
                                    [id](const auto& entry) { return entry.first == id; });
    const SharedMemory there = found == model.end() ? nullptr : found->second;
    switch (random() % 8) {
      case 0:
        ASSERT_EQ(cache.Remove(Key(id)), there);
        if (there) model.erase(found);
        break;
      case 1:
      case 2: {
        const SharedMemory memory = Memory(1 + static_cast<int>(random() % 4));
        std::vector<SharedMemory> evicted;
        cache.Put(Key(id), memory, &evicted);
        if (there) model.erase(found);
        model.emplace_back(id, memory);
        size_t used = 0;
        for (const auto& entry : model) used += blocks(entry.second);
        while (used > kBudget) {
          used -= blocks(model.front().second);
          model.erase(model.begin());
        }
        ASSERT_EQ(cache.bytes(), static_cast<int64_t>(used) * kRecordAlignment);
        break;
      }
      default:
        ASSERT_EQ(cache.Get(Key(id)), there);
        if (there) std::rotate(found, found + 1, model.end());
    }
    ASSERT_LE(cache.bytes(), kBudget * kRecordAlignment);
  }
}

}  // namespace
}  // namespace memory3
