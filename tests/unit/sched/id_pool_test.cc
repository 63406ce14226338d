#include "engine/sched/id_pool.h"

#include <random>
#include <set>

#include "gtest/gtest.h"

namespace memory3 {
namespace {

TEST(IdPoolTest, TakesAllOrNothing) {
  IdPool pool(3);
  std::vector<int32_t> ids;
  EXPECT_TRUE(pool.Take(2, &ids));
  EXPECT_FALSE(pool.Take(2, &ids));
  EXPECT_EQ(ids.size(), 2u);
  EXPECT_EQ(pool.available(), 1);
  EXPECT_TRUE(pool.Take(1, &ids));
  EXPECT_EQ(std::set<int32_t>(ids.begin(), ids.end()), (std::set<int32_t>{0, 1, 2}));
  pool.GiveBack(ids);
  EXPECT_EQ(pool.used(), 0);
}

TEST(IdPoolTest, NeverHandsOutAnIdTwice) {
  constexpr uint32_t kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  IdPool pool(50);
  std::vector<std::vector<int32_t>> held;
  std::set<int32_t> out;
  for (int round = 0; round < 5000; ++round) {
    std::vector<int32_t> ids;
    if (random() % 2 == 0 && pool.Take(static_cast<int>(random() % 10), &ids)) {
      for (const int32_t id : ids) ASSERT_TRUE(out.insert(id).second);
      held.push_back(ids);
    } else if (!held.empty()) {
      const size_t which = random() % held.size();
      for (const int32_t id : held[which]) out.erase(id);
      pool.GiveBack(held[which]);
      held.erase(held.begin() + which);
    }
    ASSERT_EQ(pool.used(), static_cast<int>(out.size()));
  }
}

TEST(IdPoolDeathTest, GivingBackTwiceIsAProgrammerError) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  IdPool pool(2);
  std::vector<int32_t> ids;
  ASSERT_TRUE(pool.Take(1, &ids));
  pool.GiveBack(ids);
  EXPECT_DEATH(pool.GiveBack(ids), "check failed");
}

}  // namespace
}  // namespace memory3
