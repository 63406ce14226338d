#include "engine/sched/sequence_state.h"

#include <set>
#include <utility>

#include "gtest/gtest.h"

namespace memory3 {
namespace {

constexpr SequenceState kAllStates[] = {SequenceState::kQueued, SequenceState::kPrefill,
                                        SequenceState::kDecode, SequenceState::kWaitingForMemory,
                                        SequenceState::kFinished};

TEST(SequenceStateTest, EveryStateCanEndAndOnlyOnce) {
  for (const SequenceState state : kAllStates) {
    EXPECT_EQ(IsLegalMove(state, SequenceState::kFinished), state != SequenceState::kFinished)
        << NameOf(state);
    EXPECT_FALSE(IsLegalMove(SequenceState::kFinished, state)) << NameOf(state);
    EXPECT_FALSE(IsLegalMove(state, SequenceState::kQueued)) << NameOf(state);
  }
}

TEST(SequenceStateTest, PromptsComeBeforeTokens) {
  EXPECT_TRUE(IsLegalMove(SequenceState::kQueued, SequenceState::kPrefill));
  EXPECT_TRUE(IsLegalMove(SequenceState::kPrefill, SequenceState::kDecode));
  EXPECT_FALSE(IsLegalMove(SequenceState::kQueued, SequenceState::kDecode));
  EXPECT_FALSE(IsLegalMove(SequenceState::kDecode, SequenceState::kPrefill));
}

TEST(SequenceStateTest, WaitingForMemoryIsLeftForTheStateItWasEnteredFrom) {
  for (const SequenceState state : {SequenceState::kPrefill, SequenceState::kDecode}) {
    EXPECT_TRUE(IsLegalMove(state, SequenceState::kWaitingForMemory));
    EXPECT_TRUE(IsLegalMove(SequenceState::kWaitingForMemory, state));
  }
  EXPECT_FALSE(IsLegalMove(SequenceState::kQueued, SequenceState::kWaitingForMemory));
}

TEST(SequenceStateDeathTest, AnIllegalMoveIsAProgrammerError) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  SequenceLifecycle lifecycle;
  lifecycle.MoveTo(SequenceState::kPrefill);
  EXPECT_TRUE(lifecycle.Is(SequenceState::kPrefill));
  EXPECT_DEATH(lifecycle.MoveTo(SequenceState::kQueued), "check failed");
}

}  // namespace
}  // namespace memory3
