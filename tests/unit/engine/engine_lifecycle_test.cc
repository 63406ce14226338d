// How requests end other than by their last token: cancel and deadline in every state, runner
// errors, drain and shutdown.
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/sched/sequence_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

using testing::IsEmpty;

const std::vector<int32_t> kBystanderPrompt = {1, 2, 3};
const std::vector<int32_t> kVictimPrompt(20, 'v');

// An answer that goes on until the test ends it.
GenerationRequest Endless(std::vector<int32_t> prompt) {
  const int max_tokens = 64 - static_cast<int>(prompt.size());
  GenerationRequest request = MakeRequest(std::move(prompt), max_tokens);
  request.ignore_eos = true;
  return request;
}

enum class Ending { kCancel, kDeadline };

class EndInStateTest : public testing::TestWithParam<std::tuple<SequenceState, Ending>> {
 protected:
  // 8 rows per step: the victim's prompt of 20 takes several.
  EngineHarness harness_{SmallRunnerInfo(), {.max_batch_tokens = 8}, /*gated=*/true};

  // With the bystander decoding at the gate, brings a victim into the state.
  Generation SubmitVictim(SequenceState state, absl::Time deadline) {
    if (state == SequenceState::kQueued) {
      // Takes what KV blocks the bystander left.
      for (int i = 0; i < 3; ++i) harness_.Submit(Endless({'f'}));
    }
    GenerationRequest request = Endless(kVictimPrompt);
    request.deadline = deadline;
    const Generation victim = harness_.Submit(std::move(request));
    const int steps = state == SequenceState::kDecode ? 5 : 2;
    for (int i = 0; i < steps; ++i) harness_.gate.RunStepAndAwaitNext();
    return victim;
  }
};

TEST_P(EndInStateTest, FreesEverythingWithinOneStep) {
  const auto [state, ending] = GetParam();
  harness_.runner->scripts[kVictimPrompt] = std::vector<int32_t>(44, 'a');
  harness_.Start();
  const Generation bystander = harness_.Submit(Endless(kBystanderPrompt));
  harness_.gate.RunStepAndAwaitNext();
  const EngineSnapshot alone = harness_.engine->Snapshot();
  ASSERT_EQ(alone.running, 1);

  const absl::Duration patience = absl::Seconds(5);
  const Generation victim = SubmitVictim(state, harness_.clock.Now() + patience);
  const EngineSnapshot before = harness_.engine->Snapshot();
  ASSERT_EQ(before.queued, state == SequenceState::kQueued ? 1 : 0);
  ASSERT_EQ(victim.stream->TryNext().has_value(), state == SequenceState::kDecode);
  ASSERT_FALSE(victim.stream->final_status().has_value());

  if (ending == Ending::kCancel) {
    harness_.engine->Cancel(victim.id);
  } else {
    harness_.clock.Advance(patience);
  }
  harness_.gate.RunStepAndAwaitNext();
  ASSERT_TRUE(victim.stream->final_status().has_value());
  EXPECT_EQ(victim.stream->final_status()->code(), ending == Ending::kCancel
                                                       ? absl::StatusCode::kCancelled
                                                       : absl::StatusCode::kDeadlineExceeded);
  const EngineSnapshot after = harness_.engine->Snapshot();
  EXPECT_EQ(after.queued, 0);
  EXPECT_EQ(after.steps, before.steps + 1);
  if (state == SequenceState::kQueued) {
    EXPECT_EQ(after.kv_blocks_used, before.kv_blocks_used);
  } else {
    EXPECT_EQ(after.running, 1);
    EXPECT_EQ(after.kv_blocks_used, alone.kv_blocks_used);
  }
  const Transcript said = ReadAll(*victim.stream);
  ASSERT_TRUE(said.last.usage.has_value());
  EXPECT_EQ(said.last.usage->prompt_tokens, static_cast<int>(kVictimPrompt.size()));
  EXPECT_FALSE(bystander.stream->final_status().has_value());

  harness_.gate.Open();
  EXPECT_EQ(ReadAll(*bystander.stream).last.finish, FinishReason::kLength);
  EXPECT_TRUE(harness_.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness_.AllFree());
  EXPECT_THAT(harness_.runner->violations(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(EveryState, EndInStateTest,
                         testing::Combine(testing::Values(SequenceState::kQueued,
                                                          SequenceState::kPrefill,
                                                          SequenceState::kDecode),
                                          testing::Values(Ending::kCancel, Ending::kDeadline)),
                         [](const auto& test) {
                           return std::string(NameOf(std::get<0>(test.param))) +
                                  (std::get<1>(test.param) == Ending::kCancel ? "_cancel"
                                                                              : "_deadline");
                         });

TEST(EngineCancelTest, UnknownAndFinishedIdsAreFine) {
  EngineHarness harness;
  harness.Start();
  harness.engine->Cancel(12345);
  const Generation generation = harness.Submit(MakeRequest({'a'}, 2));
  EXPECT_TRUE(ReadAll(*generation.stream).last.status.ok());
  harness.engine->Cancel(generation.id);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(ReadAll(*harness.Submit(MakeRequest({'a'}, 2)).stream).last.status.ok());
}

TEST(EngineDeadlineTest, APastDeadlineIsRefusedAtOnce) {
  EngineHarness harness;
  harness.Start();
  GenerationRequest request = MakeRequest({'a'}, 2);
  request.deadline = harness.clock.Now() - absl::Nanoseconds(1);
  EXPECT_EQ(harness.engine->Submit(std::move(request)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(EngineDeadlineTest, AJumpOfTheCalendarMovesNoDeadline) {
  EngineHarness harness(SmallRunnerInfo(), {}, /*gated=*/true);
  harness.Start();
  GenerationRequest request = MakeRequest({'a'}, 3);
  request.deadline = harness.clock.Now() + absl::Seconds(10);
  request.ignore_eos = true;
  const Generation generation = harness.Submit(std::move(request));
  harness.gate.AwaitStep();
  harness.clock.JumpCalendar(absl::Hours(1));
  EXPECT_EQ(harness.clock.Now() - harness.engine->Snapshot().heartbeat, absl::ZeroDuration());
  harness.gate.Open();
  EXPECT_TRUE(ReadAll(*generation.stream).last.status.ok());
}

TEST(EngineRunnerErrorTest, EndsTheSequencesOfThatBatchAndTheEngineGoesOn) {
  EngineHarness harness(SmallRunnerInfo(), {}, /*gated=*/true);
  bool fail = false;  // written while the engine thread waits at the gate
  harness.runner->before_run = [&](const Batch&) {
    harness.gate.Pass();
    return fail ? absl::InternalError("out of smoke") : absl::OkStatus();
  };
  harness.Start();
  const Generation first = harness.Submit(Endless({'a'}));
  const Generation second = harness.Submit(Endless({'b'}));
  harness.gate.RunStepAndAwaitNext();
  harness.gate.RunStepAndAwaitNext();
  fail = true;
  harness.gate.RunStep();
  for (const Generation& generation : {first, second}) {
    const Transcript said = ReadAll(*generation.stream);
    EXPECT_EQ(said.last.status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(said.last.status.message(), testing::HasSubstr("out of smoke"));
  }
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  fail = false;
  harness.gate.Open();
  EXPECT_TRUE(ReadAll(*harness.Submit(MakeRequest({'a'}, 3)).stream).last.status.ok());
}

TEST(EngineSlowReaderTest, IsCutOffAndOthersAreNot) {
  EngineHarness harness(SmallRunnerInfo(), {.max_stream_events = 4}, /*gated=*/true);
  harness.runner->scripts[{'a'}] = std::vector<int32_t>(63, 'x');
  harness.Start();
  const Generation slow = harness.Submit(Endless({'a'}));
  const Generation quick = harness.Submit(Endless({'b'}));
  const int alone = harness.engine->Snapshot().kv_blocks_used / 2;
  int quick_events = 0;
  for (int step = 0; step < 6; ++step) {
    harness.gate.RunStepAndAwaitNext();
    while (quick.stream->TryNext()) ++quick_events;
  }
  ASSERT_TRUE(slow.stream->final_status().has_value());
  EXPECT_EQ(slow.stream->final_status()->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(harness.engine->Snapshot().running, 1);
  EXPECT_GE(harness.engine->Snapshot().kv_blocks_used, alone);
  EXPECT_GT(quick_events, 0);
  EXPECT_FALSE(quick.stream->final_status().has_value());
  // What was buffered is not lost.
  const Transcript said = ReadAll(*slow.stream);
  EXPECT_EQ(said.tokens.size(), 4u);
  EXPECT_EQ(said.last.status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(EngineDrainTest, WhatWasTakenGoesOnAndNothingNewIsTaken) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_sequences = 1;
  EngineHarness harness(info, {}, /*gated=*/true);
  harness.Start();
  const Generation running = harness.Submit(Endless({'a'}));
  const Generation queued = harness.Submit(Endless({'b'}));
  harness.gate.AwaitStep();
  harness.engine->BeginDrain();
  EXPECT_TRUE(harness.engine->Snapshot().draining);
  EXPECT_EQ(harness.engine->Submit(Endless({'c'})).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(harness.engine->AwaitIdle(absl::Milliseconds(1)));
  harness.gate.Open();
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_EQ(ReadAll(*running.stream).last.finish, FinishReason::kLength);
  EXPECT_EQ(ReadAll(*queued.stream).last.finish, FinishReason::kLength);
  EXPECT_TRUE(harness.AllFree());
}

TEST(EngineShutdownTest, EndsWhatRunsAndWhatWaitsWithUnavailable) {
  RunnerInfo info = SmallRunnerInfo();
  info.max_sequences = 1;
  EngineHarness harness(info, {}, /*gated=*/true);
  harness.Start();
  const Generation running = harness.Submit(Endless({'a'}));
  harness.gate.RunStepAndAwaitNext();
  const Generation queued = harness.Submit(Endless({'b'}));
  Engine* const engine = harness.engine.get();
  std::thread destroyer([&harness] { harness.engine.reset(); });
  // The engine is there until its thread, which waits at the gate, was joined.
  while (!engine->Snapshot().draining) std::this_thread::yield();
  harness.gate.Open();
  EXPECT_EQ(ReadAll(*running.stream).last.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReadAll(*queued.stream).last.status.code(), absl::StatusCode::kUnavailable);
  destroyer.join();
}

TEST(EngineHeartbeatTest, AdvancesWhenIdleAndStandsStillInAStep) {
  EngineHarness harness(SmallRunnerInfo(), {}, /*gated=*/true);
  harness.Start();
  for (int i = 0; i < 3; ++i) {
    const absl::Time now = harness.clock.Now();
    while (harness.engine->Snapshot().heartbeat <= now) {
      harness.clock.Advance(absl::Seconds(1));
      std::this_thread::yield();
    }
  }
  const Generation generation = harness.Submit(Endless({'a'}));
  harness.gate.AwaitStep();
  const absl::Time stuck = harness.engine->Snapshot().heartbeat;
  harness.clock.Advance(absl::Seconds(30));
  EXPECT_EQ(harness.engine->Snapshot().heartbeat, stuck);
  harness.gate.RunStepAndAwaitNext();
  EXPECT_EQ(harness.engine->Snapshot().heartbeat, harness.clock.Now());
}

}  // namespace
}  // namespace memory3
