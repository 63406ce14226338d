// An engine whose runner runs ahead: a step is started before the result of the one before is
// there.
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr int32_t kEos = ByteTokenizer::kEos;

RunnerInfo AheadInfo(int max_sequences = 4) {
  RunnerInfo info = SmallRunnerInfo();
  info.runs_ahead = true;
  info.max_sequences = max_sequences;
  return info;
}

GenerationRequest Answered(std::vector<int32_t> prompt, int max_tokens) {
  GenerationRequest request = MakeRequest(std::move(prompt), max_tokens);
  request.ignore_eos = true;
  return request;
}

TEST(EngineAheadTest, TheNextStepIsStartedBeforeTheResultIsThere) {
  EngineHarness harness(AheadInfo());
  harness.Start();
  const Transcript said = ReadAll(*harness.Submit(Answered({1, 2, 3}, 10)).stream);
  EXPECT_EQ(said.tokens.size(), 10u);
  EXPECT_EQ(said.last.finish, FinishReason::kLength);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_EQ(harness.runner->most_started(), 2);
  // Three of the prompt, and nine tokens that another was to follow: the end was known ahead.
  EXPECT_EQ(harness.runner->rows_run(), 12);
  EXPECT_THAT(harness.runner->violations(), IsEmpty());
}

TEST(EngineAheadTest, AStopCostsOneRowWhoseResultNobodySees) {
  EngineHarness harness(AheadInfo(), {.eos_tokens = {kEos}});
  harness.runner->scripts[{1, 2}] = {'a', 'b', 'c', kEos, 'x', 'y'};
  harness.Start();
  const Transcript said = ReadAll(*harness.Submit(MakeRequest({1, 2}, 20)).stream);
  EXPECT_EQ(said.text, "abc");
  EXPECT_EQ(said.last.finish, FinishReason::kStop);
  EXPECT_EQ(said.last.usage->completion_tokens, 4);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  // Two of the prompt, three to the stop, and one that was started before that was known.
  EXPECT_EQ(harness.runner->rows_run(), 6);
}

TEST(EngineAheadTest, WhoComesNextGetsTheSlotWhileTheLastStepIsOnItsWay) {
  const GenerationRequest next = Answered({7, 8, 9}, 12);
  EngineHarness fresh(AheadInfo(1));
  fresh.Start();
  const Transcript expected = ReadAll(*fresh.Submit(next).stream);

  EngineHarness harness(AheadInfo(1), {}, /*gated=*/true);
  harness.Start();
  const Generation first = harness.Submit(Answered({1, 2, 3}, 40));
  for (int i = 0; i < 3; ++i) harness.gate.RunStepAndAwaitNext();
  // The fourth step is at the gate, the third on its way, the second's token told.
  const Generation second = harness.Submit(next);
  harness.engine->Cancel(first.id);
  harness.gate.RunStepAndAwaitNext();
  // It ended with the fourth on its way, before the first of the other, which is at the gate.
  ASSERT_TRUE(first.stream->final_status().has_value());
  EXPECT_EQ(first.stream->final_status()->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(harness.engine->Snapshot().running, 1);
  harness.gate.Open();
  const Transcript said = ReadAll(*second.stream);
  EXPECT_EQ(said.ids(), expected.ids());
  EXPECT_EQ(ReadAll(*first.stream).tokens.size(), 3u);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  EXPECT_THAT(harness.runner->violations(), IsEmpty());
}

TEST(EngineAheadTest, AnErrorEndsTheSequencesOfItsStepAndTheEngineGoesOn) {
  EngineHarness harness(AheadInfo());
  int steps = 0;  // of the engine thread
  harness.runner->before_run = [&steps](const Batch&) {
    return ++steps == 3 ? absl::InternalError("out of smoke") : absl::OkStatus();
  };
  harness.Start();
  const Transcript said = ReadAll(*harness.Submit(Answered({'a'}, 20)).stream);
  EXPECT_EQ(said.last.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(said.last.status.message()), HasSubstr("out of smoke"));
  EXPECT_EQ(said.tokens.size(), 2u);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  EXPECT_TRUE(ReadAll(*harness.Submit(MakeRequest({'b'}, 3)).stream).last.status.ok());
}

TEST(EngineAheadTest, ShutdownLeavesNoStepUnfinished) {
  EngineHarness harness(AheadInfo(), {}, /*gated=*/true);
  harness.Start();
  const Generation running = harness.Submit(Answered({'a'}, 40));
  harness.gate.RunStepAndAwaitNext();
  harness.gate.RunStepAndAwaitNext();
  Engine* const engine = harness.engine.get();
  std::thread destroyer([&harness] { harness.engine.reset(); });
  // The engine is there until its thread, which waits at the gate, was joined.
  while (!engine->Snapshot().draining) std::this_thread::yield();
  harness.gate.Open();
  EXPECT_EQ(ReadAll(*running.stream).last.status.code(), absl::StatusCode::kUnavailable);
  destroyer.join();
}

}  // namespace
}  // namespace memory3
