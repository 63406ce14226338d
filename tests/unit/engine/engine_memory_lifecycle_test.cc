// How requests with memory end, and what happens to retrievals and loads that come back too late.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/memory_calls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class CountingObserver final : public EngineObserver {
 public:
  void OnChunk(const ChunkReport& chunk) override {
    ++chunks;
    late += chunk.late;
  }
  void OnRetrieval(const absl::Status& status, int queries, absl::Duration) override {
    ++(status.ok() ? retrievals : failed_retrievals);
    queries_sent += queries;
  }
  void OnStaleCompletion() override { ++stale; }

  std::atomic<int> chunks = 0, late = 0, retrievals = 0, failed_retrievals = 0, queries_sent = 0,
                   stale = 0;
};

enum class Ending { kCancel, kDeadline, kShutdown };
enum class WaitsFor { kRetrieval, kLoad };

// Waiting for memory at the first boundary of the prompt, or at one of the answer.
class EndWhileWaitingTest : public testing::TestWithParam<std::tuple<Ending, WaitsFor, bool>> {};

TEST_P(EndWhileWaitingTest, FreesEverythingAndCountsWhatComesLater) {
  const auto [ending, waits_for, in_answer] = GetParam();
  CountingObserver observer;
  MemoryHarness harness({.observer = &observer});
  Courier& courier =
      waits_for == WaitsFor::kRetrieval ? harness.retriever.courier : harness.bank.courier;
  harness.runner->before_run = [&courier, hold = in_answer](const Batch& batch) mutable {
    if (batch.sequences[0].first_position == 9 && std::exchange(hold, false)) courier.Hold();
    return absl::OkStatus();
  };
  if (!in_answer) courier.Hold();
  GenerationRequest request = MemoryRequestFor(PromptOf(8), 12);
  request.deadline = harness.clock.Now() + absl::Seconds(5);
  const Generation generation = harness.Submit(request);
  ASSERT_TRUE(harness.AwaitWaiting(1));
  ASSERT_EQ(harness.engine->Snapshot().running, 1);

  switch (ending) {
    case Ending::kCancel:
      harness.engine->Cancel(generation.id);
      break;
    case Ending::kDeadline:
      harness.clock.Advance(absl::Seconds(5));
      break;
    case Ending::kShutdown:
      harness.engine.reset();
      break;
  }
  const Transcript said = ReadAll(*generation.stream);
  EXPECT_EQ(said.last.status.code(), ending == Ending::kCancel ? absl::StatusCode::kCancelled
                                     : ending == Ending::kDeadline
                                         ? absl::StatusCode::kDeadlineExceeded
                                         : absl::StatusCode::kUnavailable);
  EXPECT_EQ(said.chunks.size(), in_answer ? 2u : 0u) << "what was settled is reported to the end";
  const int before = observer.stale;
  const int held = courier.held();
  EXPECT_GT(held, 0);
  if (ending == Ending::kShutdown) {
    courier.StopHolding();  // nobody is there any more
    EXPECT_EQ(observer.stale, before);
    return;
  }
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
  courier.StopHolding();
  EXPECT_TRUE(Await([&] { return observer.stale == before + held; })) << observer.stale;
  const GenerationRequest next = MemoryRequestFor(PromptOf(8, 1), 12);
  EXPECT_EQ(ReadAll(*harness.Submit(next).stream).ids(), AnswerOf(next, harness).tokens);
  EXPECT_THAT(harness.runner->violations(), IsEmpty());
}

std::string NameOfCase(const testing::TestParamInfo<EndWhileWaitingTest::ParamType>& test) {
  static constexpr const char* kEndings[] = {"cancel", "deadline", "shutdown"};
  const auto& [ending, waits_for, in_answer] = test.param;
  return std::string(kEndings[static_cast<int>(ending)]) +
         (waits_for == WaitsFor::kRetrieval ? "_retrieval" : "_load") +
         (in_answer ? "_in_answer" : "_in_prompt");
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, EndWhileWaitingTest,
    testing::Combine(testing::Values(Ending::kCancel, Ending::kDeadline, Ending::kShutdown),
                     testing::Values(WaitsFor::kRetrieval, WaitsFor::kLoad), testing::Bool()),
    NameOfCase);

TEST(EngineMemoryLifecycleTest, WhatComesAfterTheDeadlineOfItsBoundaryIsDropped) {
  for (const WaitsFor waits_for : {WaitsFor::kRetrieval, WaitsFor::kLoad}) {
    CountingObserver observer;
    MemoryHarness harness({.observer = &observer});
    Courier& courier =
        waits_for == WaitsFor::kRetrieval ? harness.retriever.courier : harness.bank.courier;
    courier.Hold();
    const Generation generation =
        harness.Submit(MemoryRequestFor(PromptOf(4), 6, MemoryPolicy::kDeadline));
    ASSERT_TRUE(harness.AwaitWaiting(1));
    harness.clock.Advance(absl::Milliseconds(50));  // chunk 0
    ASSERT_TRUE(Await([&] { return observer.late == 1; }));
    ASSERT_TRUE(harness.AwaitWaiting(1));  // at the boundary of chunk 1
    EXPECT_EQ(observer.stale, 0);
    courier.StopHolding();
    const Transcript said = ReadAll(*generation.stream);
    EXPECT_TRUE(said.last.status.ok()) << said.last.status;
    ASSERT_THAT(said.chunks, SizeIs(2));
    EXPECT_TRUE(said.chunks[0].late);
    EXPECT_FALSE(said.chunks[1].late);
    EXPECT_THAT(said.chunks[0].memories, IsEmpty());
    EXPECT_THAT(said.chunks[1].memories, testing::Not(IsEmpty()));
    EXPECT_GT(observer.stale, 0);
  }
}

// A retriever that keeps to nothing: the engine ends every call by itself, once.
TEST(EngineMemoryLifecycleTest, ARetrieverThatNeverAnswersHoldsNothingForLong) {
  CountingObserver observer;
  EngineMemory limits;
  limits.strict_timeout = absl::Seconds(2);
  MemoryHarness harness({.memory = limits, .observer = &observer});
  harness.retriever.courier.Hold();
  const absl::Duration longest = limits.retrieval_timeout + kRetrievalGrace;
  const Generation generation = harness.Submit(MemoryRequestFor(PromptOf(8), 4));
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.clock.Advance(longest - absl::Milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(observer.failed_retrievals, 0) << "the retriever's own deadline comes first";
  const absl::Duration start = harness.clock.Steady();
  while (!generation.stream->final_status().has_value()) {
    harness.clock.Advance(absl::Milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  EXPECT_LT(harness.clock.Steady() - start, absl::Seconds(3));
  EXPECT_EQ(generation.stream->final_status()->code(), absl::StatusCode::kUnavailable);
  const int calls = static_cast<int>(harness.retriever.calls().size());
  EXPECT_GT(calls, 1) << "asked again";
  harness.clock.Advance(longest);
  EXPECT_TRUE(Await([&] { return observer.failed_retrievals == calls; }));
  EXPECT_TRUE(harness.AllFree());
  // What comes now is for nobody and not counted a second time.
  EXPECT_EQ(observer.stale, 0);
  harness.retriever.courier.StopHolding();
  EXPECT_TRUE(Await([&] { return observer.stale == calls; }));
  EXPECT_EQ(observer.failed_retrievals + observer.retrievals, calls);
}

TEST(EngineMemoryLifecycleTest, ThePromptsLaterChunksUseAnAnswerThatWasLateForTheFirst) {
  CountingObserver observer;
  MemoryHarness harness({.observer = &observer});
  harness.retriever.courier.Hold();
  const GenerationRequest request = MemoryRequestFor(PromptOf(8), 2, MemoryPolicy::kDeadline);
  const Generation generation = harness.Submit(request);
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.clock.Advance(absl::Milliseconds(50));
  ASSERT_TRUE(Await([&] { return observer.late == 1; }));
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.retriever.courier.StopHolding();
  const Transcript said = ReadAll(*generation.stream);
  ASSERT_THAT(said.chunks, SizeIs(2));
  EXPECT_TRUE(said.chunks[0].late);
  EXPECT_FALSE(said.chunks[1].late);
  EXPECT_EQ(harness.runner->memories_seen(request.prompt).back(),
            AnswerOf(request, harness).memories_of_chunk[1]);
  EXPECT_EQ(observer.stale, 1);
}

TEST(EngineMemoryLifecycleTest, TheObserverHearsOfEveryRetrievalAndChunk) {
  CountingObserver observer;
  MemoryHarness harness({.observer = &observer});
  ReadAll(*harness.Submit(MemoryRequestFor(PromptOf(10), 10)).stream);
  harness.retriever.SetChange([](RetrievalAnswer) -> absl::StatusOr<RetrievalAnswer> {
    return absl::UnavailableError("gone");
  });
  GenerationRequest request = MemoryRequestFor(PromptOf(10, 1), 10, MemoryPolicy::kDeadline);
  request.memory.details = false;
  ReadAll(*harness.Submit(request).stream);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_EQ(observer.chunks, 10);
  EXPECT_EQ(observer.late, 5);
  EXPECT_EQ(observer.retrievals, 3);
  EXPECT_EQ(observer.failed_retrievals, 3);
  EXPECT_EQ(observer.queries_sent, 10);
}

TEST(EngineMemoryLifecycleTest, ARunnersErrorFreesTheSlots) {
  MemoryHarness harness;
  harness.runner->before_run = [](const Batch& batch) {
    return batch.sequences[0].first_position >= 10 ? absl::InternalError("broken")
                                                   : absl::OkStatus();
  };
  const Transcript said = ReadAll(*harness.Submit(MemoryRequestFor(PromptOf(8), 12)).stream);
  EXPECT_EQ(said.last.status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
  EXPECT_TRUE(harness.AllFree());
}

TEST(EngineMemoryLifecycleTest, AnAnswerThatEndsEarlyLeavesItsNextQueryBehind) {
  CountingObserver observer;
  MemoryHarness harness({.memory = {.lead_tokens = 2}, .observer = &observer});
  GenerationRequest request = MemoryRequestFor(PromptOf(4), 20);
  request.ignore_eos = true;
  request.stop_token_ids = {'!'};
  harness.runner->scripts[request.prompt] = {'a', 'b', '!'};  // the query leaves with 'b'
  harness.runner->before_run = [&](const Batch& batch) {
    if (batch.sequences[0].first_position == 4) harness.retriever.courier.Hold();
    return absl::OkStatus();
  };
  const Transcript said = ReadAll(*harness.Submit(request).stream);
  EXPECT_EQ(said.last.finish, FinishReason::kStop);
  EXPECT_EQ(harness.retriever.courier.held(), 1);
  harness.retriever.courier.StopHolding();
  EXPECT_TRUE(Await([&] { return observer.stale == 1; }));
  EXPECT_TRUE(harness.AllFree());
}

TEST(EngineMemoryLifecycleTest, DrainingLetsWaitingSequencesEnd) {
  MemoryHarness harness;
  harness.bank.courier.Hold();
  const GenerationRequest request = MemoryRequestFor(PromptOf(4), 6);
  const Generation generation = harness.Submit(request);
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.engine->BeginDrain();
  EXPECT_FALSE(harness.engine->AwaitIdle(absl::Milliseconds(5)));
  harness.bank.courier.StopHolding();
  EXPECT_EQ(ReadAll(*generation.stream).ids(), AnswerOf(request, harness).tokens);
  EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
}

}  // namespace
}  // namespace memory3
