#include "engine/sched/slot_table.h"

#include <map>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace memory3 {
namespace {

MemoryKey Key(MemoryId id) { return {.epoch = 1, .id = id}; }

TEST(SlotTableTest, SequencesShareASlot) {
  SlotTable table(2);
  EXPECT_EQ(table.Acquire(Key(7)), std::nullopt);
  const MemorySlot slot = table.Insert(Key(7));
  EXPECT_EQ(table.Acquire(Key(7)), slot);
  EXPECT_EQ(table.Acquire({.epoch = 2, .id = 7}), std::nullopt) << "another bank's";
  EXPECT_EQ(table.referenced(), 1);
  table.Release(slot);
  EXPECT_EQ(table.referenced(), 1);
  table.Release(slot);
  EXPECT_EQ(table.referenced(), 0);
}

TEST(SlotTableTest, UnreferencedSlotsKeepTheirMemoriesAndTheOldestGoesFirst) {
  SlotTable table(3);
  std::vector<MemorySlot> slots;
  for (MemoryId id = 0; id < 3; ++id) slots.push_back(table.Insert(Key(id)));
  for (const int id : {1, 0, 2}) table.Release(slots[id]);
  EXPECT_EQ(table.Acquire(Key(1)), slots[1]);
  table.Release(slots[1]);  // now the newest
  EXPECT_EQ(table.Insert(Key(10)), slots[0]);
  EXPECT_FALSE(table.Contains(Key(0)));
  EXPECT_EQ(table.Insert(Key(11)), slots[2]);
  EXPECT_TRUE(table.Contains(Key(1)));
}

TEST(SlotTableTest, ADiscardedSlotIsEmptyAndTheFirstToBeUsed) {
  SlotTable table(2);
  const MemorySlot slot = table.Insert(Key(1));
  table.Discard(slot);
  EXPECT_FALSE(table.Contains(Key(1)));
  EXPECT_EQ(table.referenced(), 0);
  EXPECT_EQ(table.Insert(Key(2)), slot);
}

TEST(SlotTableTest, AgreesWithAPlainModelUnderRandomUse) {
  constexpr int kSlots = 6;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    SlotTable table(kSlots);
    std::map<MemoryId, MemorySlot> slot_of;
    std::map<MemorySlot, int> references;
    std::vector<MemoryId> by_age;  // unreferenced memories, oldest first
    std::vector<MemoryId> held;
    for (int i = 0; i < 2000; ++i) {
      if (!held.empty() && (random() % 2 == 0 || held.size() == kSlots)) {
        const size_t which = random() % held.size();
        const MemoryId id = held[which];
        held.erase(held.begin() + which);
        table.Release(slot_of[id]);
        if (--references[slot_of[id]] == 0) by_age.push_back(id);
        continue;
      }
      const MemoryId id = random() % 12;
      held.push_back(id);
      std::erase(by_age, id);
      const std::optional<MemorySlot> found = table.Acquire(Key(id));
      ASSERT_EQ(found.has_value(), slot_of.contains(id));
      if (found.has_value()) {
        ASSERT_EQ(*found, slot_of[id]);
      } else {
        const bool evicts = slot_of.size() == kSlots;
        const MemorySlot slot = table.Insert(Key(id));
        ASSERT_EQ(references[slot], 0);
        if (evicts) {
          ASSERT_EQ(slot, slot_of[by_age.front()]);
          slot_of.erase(by_age.front());
          by_age.erase(by_age.begin());
        }
        slot_of[id] = slot;
      }
      ++references[slot_of[id]];
      ASSERT_EQ(table.referenced(),
                static_cast<int>(std::set<MemoryId>(held.begin(), held.end()).size()));
    }
  }
}

TEST(SlotTableDeathTest, ReferencesMustBalance) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  SlotTable table(1);
  EXPECT_DEATH(table.Release(0), "check failed");
  table.Insert(Key(1));
  EXPECT_DEATH(table.Insert(Key(2)), "check failed");
  EXPECT_DEATH(table.Release(1), "check failed");
}

}  // namespace
}  // namespace memory3
