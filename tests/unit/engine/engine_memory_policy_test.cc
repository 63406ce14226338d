// Every policy against everything that can go wrong with a chunk's memories.
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::Duration kBoundaryDeadline = absl::Milliseconds(50);
constexpr absl::Duration kStrictTimeout = absl::Seconds(2);

// Reads a stream while time passes, in steps small against every limit.
Transcript ReadAsTimePasses(MemoryHarness& harness, GenerationStream& stream) {
  std::atomic<bool> done = false;
  std::thread ticker([&] {
    while (!done) {
      harness.clock.Advance(absl::Milliseconds(5));
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  Transcript said = ReadAll(stream);
  done = true;
  ticker.join();
  return said;
}

struct Failure {
  std::string name;
  std::function<void(MemoryHarness&)> bring;
  // What becomes of a chunk: of its memories nothing comes while one waits, waiting does not help
  // against what is missing, or nothing is wrong.
  enum class Kind { kComesNever, kIsMissing, kIsFine } kind;
  // The deadline policy need not wait to know.
  bool known_at_once;
};

ScriptedRetriever::Change ChangeEach(std::function<void(std::vector<RetrievedMemory>&)> change) {
  return [change](RetrievalAnswer right) -> absl::StatusOr<RetrievalAnswer> {
    for (std::vector<RetrievedMemory>& result : right.results) change(result);
    return right;
  };
}

const std::vector<Failure>& Failures() {
  using Kind = Failure::Kind;
  static const auto* const kFailures = new std::vector<Failure>{
      {"retrieval_fails",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange([](RetrievalAnswer) -> absl::StatusOr<RetrievalAnswer> {
           return absl::UnavailableError("no sidecar");
         });
       },
       Kind::kComesNever, true},
      {"retrieval_never_answers", [](MemoryHarness& harness) { harness.retriever.courier.Hold(); },
       Kind::kComesNever, false},
      {"results_are_too_few",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange([](RetrievalAnswer right) {
           right.results.pop_back();
           return absl::StatusOr<RetrievalAnswer>(std::move(right));
         });
       },
       Kind::kComesNever, true},
      {"results_are_too_many",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange([](RetrievalAnswer right) {
           right.results.emplace_back();
           return absl::StatusOr<RetrievalAnswer>(std::move(right));
         });
       },
       Kind::kComesNever, true},
      {"loads_never_come", [](MemoryHarness& harness) { harness.bank.courier.Hold(); },
       Kind::kComesNever, false},
      {"unknown_ids",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange(ChangeEach([](std::vector<RetrievedMemory>& memories) {
           for (RetrievedMemory& memory : memories) memory.id += 1000;
         }));
       },
       Kind::kIsMissing, true},
      {"deleted_memories",
       [](MemoryHarness& harness) {
         for (MemoryId id = 0; id < harness.options.bank_size; ++id) harness.bank.Delete(id);
       },
       Kind::kIsMissing, true},
      {"another_epoch",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange([](RetrievalAnswer right) {
           right.epoch = kTestEpoch + 1;
           return absl::StatusOr<RetrievalAnswer>(std::move(right));
         });
       },
       Kind::kComesNever, true},
      {"damaged_records",
       [](MemoryHarness& harness) {
         for (MemoryId id = 0; id < harness.options.bank_size; ++id) harness.bank.Damage(id);
       },
       Kind::kIsMissing, true},
      {"texts_without_memories",
       [](MemoryHarness& harness) {
         for (MemoryId id = 0; id < harness.options.bank_size; ++id) harness.bank.MakeCold(id);
       },
       Kind::kIsMissing, true},
      {"nothing_is_near",
       [](MemoryHarness& harness) {
         harness.retriever.SetChange(
             ChangeEach([](std::vector<RetrievedMemory>& memories) { memories.clear(); }));
       },
       Kind::kIsFine, true},
  };
  return *kFailures;
}

struct Policy {
  std::string name;
  MemoryPolicy policy;
  bool required;
};
const Policy kPolicies[] = {{"strict", MemoryPolicy::kStrict, false},
                            {"deadline", MemoryPolicy::kDeadline, false},
                            {"strict_required", MemoryPolicy::kStrict, true},
                            {"deadline_required", MemoryPolicy::kDeadline, true}};

class PolicyTest : public testing::TestWithParam<std::tuple<Policy, Failure>> {
 protected:
  static EngineMemory Limits() {
    EngineMemory memory;
    memory.boundary_deadline = kBoundaryDeadline;
    memory.strict_timeout = kStrictTimeout;
    return memory;
  }

  MemoryHarness harness_{{.memory = Limits()}};

  void ExpectAllFree() {
    EXPECT_TRUE(harness_.engine->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_TRUE(harness_.AllFree());
    EXPECT_THAT(harness_.runner->violations(), IsEmpty());
  }
};

// From the first chunk on: so no chunk has memories.
TEST_P(PolicyTest, FromTheFirstChunkOn) {
  const auto& [policy, failure] = GetParam();
  failure.bring(harness_);
  GenerationRequest request = MemoryRequestFor(PromptOf(6), 10, policy.policy);
  request.memory.required = policy.required;
  const bool comes_never = failure.kind == Failure::Kind::kComesNever;
  const bool strict = policy.policy == MemoryPolicy::kStrict;
  const bool waits = strict ? comes_never : !failure.known_at_once;
  const Generation generation = harness_.Submit(request);
  const absl::Duration start = harness_.clock.Steady();
  // What is known at once must end without the clock: no time passes unless the policy waits.
  const Transcript said =
      waits ? ReadAsTimePasses(harness_, *generation.stream) : ReadAll(*generation.stream);
  const absl::Duration took = harness_.clock.Steady() - start;

  const bool fails =
      failure.kind != Failure::Kind::kIsFine && (policy.required || (strict && comes_never));
  if (fails) {
    EXPECT_EQ(said.last.status.code(), absl::StatusCode::kUnavailable) << said.last.status;
    EXPECT_THAT(std::string(said.last.status.message()), HasSubstr("chunk 0"));
    if (waits) {
      EXPECT_GE(took, strict ? kStrictTimeout : kBoundaryDeadline);
      EXPECT_GE(said.last.usage->memory_wait, strict ? kStrictTimeout : kBoundaryDeadline);
    }
  } else {
    const ExpectedAnswer expected =
        AnswerOf(request, harness_.options.info, 0,
                 {.ids_for = [](const std::string&) { return std::vector<RetrievedMemory>(); }});
    EXPECT_TRUE(said.last.status.ok()) << said.last.status;
    EXPECT_EQ(said.ids(), expected.tokens);
    ASSERT_THAT(said.chunks, SizeIs(4));
    const bool fine = failure.kind == Failure::Kind::kIsFine;
    for (const ChunkReport& chunk : said.chunks) {
      EXPECT_EQ(chunk.late, comes_never);
      EXPECT_EQ(chunk.degraded, !fine && failure.known_at_once);
      EXPECT_EQ(chunk.reason.empty(), fine) << chunk.reason;
      EXPECT_THAT(chunk.memories, IsEmpty());
      EXPECT_GE(chunk.wait_time, waits ? kBoundaryDeadline : absl::ZeroDuration());
    }
    EXPECT_EQ(said.last.usage->late_chunks, comes_never ? 4 : 0);
    EXPECT_EQ(said.last.usage->degraded_chunks, !fine && failure.known_at_once ? 4 : 0);
  }
  harness_.bank.courier.StopHolding();
  harness_.retriever.courier.StopHolding();
  ExpectAllFree();
}

// The first chunks are well; then something breaks.
TEST_P(PolicyTest, FromTheFirstChunkOfTheAnswerOn) {
  const auto& [policy, failure] = GetParam();
  GenerationRequest request = MemoryRequestFor(PromptOf(8), 14, policy.policy);
  request.memory.required = policy.required;
  // The bank's faults must meet memories that are in no slot.
  const ExpectedAnswer well = AnswerOf(request, harness_);
  harness_.runner->before_run = [this, &brings = failure.bring,
                                 broken = false](const Batch& batch) mutable {
    const BatchSequence& rows = batch.sequences[0];
    if (!broken && rows.first_position == 8) brings(harness_);
    broken |= rows.first_position == 8;
    return absl::OkStatus();
  };
  const Generation generation = harness_.Submit(request);
  const Transcript said = ReadAsTimePasses(harness_, *generation.stream);
  const std::vector<std::vector<MemoryId>> seen = harness_.runner->memories_seen(request.prompt);
  ASSERT_GE(seen.size(), 12u);
  for (size_t row = 0; row < 12; ++row) EXPECT_EQ(seen[row], well.memories_of_row[row]);

  const bool comes_never = failure.kind == Failure::Kind::kComesNever;
  const bool strict = policy.policy == MemoryPolicy::kStrict;
  if (failure.kind == Failure::Kind::kIsFine) {
    EXPECT_TRUE(said.last.status.ok()) << said.last.status;
    EXPECT_THAT(seen[12], IsEmpty());
  } else if (comes_never && !strict && !policy.required) {
    // The memories of the last chunk that had its own stay to the end. A memory that lies in a
    // slot already needs no load, so a chunk may be well by chance.
    EXPECT_TRUE(said.last.status.ok()) << said.last.status;
    ASSERT_THAT(said.chunks, SizeIs(5));
    for (size_t i = 2; i < 5; ++i) {
      if (!said.chunks[i].late) continue;
      EXPECT_EQ(said.chunks[i].memories.size(), said.chunks[i - 1].memories.size());
      EXPECT_EQ(seen[4 + 4 * i], seen[4 * i]) << "chunk " << i;
    }
  } else if (said.last.status.ok()) {
    EXPECT_TRUE(!policy.required || said.last.usage->degraded_chunks == 0);
    EXPECT_EQ(said.last.usage->late_chunks, 0);
  } else {
    EXPECT_EQ(said.last.status.code(), absl::StatusCode::kUnavailable) << said.last.status;
    EXPECT_TRUE(policy.required || (strict && comes_never));
  }
  harness_.bank.courier.StopHolding();
  harness_.retriever.courier.StopHolding();
  ExpectAllFree();
}

INSTANTIATE_TEST_SUITE_P(Everything, PolicyTest,
                         testing::Combine(testing::ValuesIn(kPolicies),
                                          testing::ValuesIn(Failures())),
                         [](const auto& test) {
                           return std::get<0>(test.param).name + "_" + std::get<1>(test.param).name;
                         });

// The same answer as where nothing fails, no chunk without its memories.
Transcript ExpectAsIfNothingFailed(MemoryHarness& harness, int prompt_tokens = 10) {
  const GenerationRequest request = MemoryRequestFor(PromptOf(prompt_tokens), 10);
  const Generation generation = harness.Submit(request);
  Transcript said = ReadAsTimePasses(harness, *generation.stream);
  EXPECT_TRUE(said.last.status.ok()) << said.last.status;
  EXPECT_EQ(said.ids(), AnswerOf(request, harness).tokens);
  EXPECT_EQ(said.last.usage->degraded_chunks + said.last.usage->late_chunks, 0);
  return said;
}

TEST(PolicyDetailTest, StrictAsksAgainUntilAnAnswerComes) {
  MemoryHarness harness;
  int failures = 3;
  harness.retriever.SetChange([&](RetrievalAnswer right) -> absl::StatusOr<RetrievalAnswer> {
    if (failures-- > 0) return absl::UnavailableError("not yet");
    return right;
  });
  const Transcript said = ExpectAsIfNothingFailed(harness);
  // The prompt's chunks are asked for again together.
  EXPECT_THAT(harness.retriever.calls()[3], SizeIs(3));
  EXPECT_GT(said.last.usage->memory_wait, absl::ZeroDuration());
}

TEST(PolicyDetailTest, StrictAsksAgainUntilTheBankOfTheAnswerIsOpen) {
  MemoryHarness harness;
  int asked = 0;
  harness.retriever.SetChange([&](RetrievalAnswer right) -> absl::StatusOr<RetrievalAnswer> {
    if (++asked == 3) harness.bank.SwapAfter(0);
    if (asked >= 3) (void)harness.bank.Find({.epoch = kTestEpoch, .id = 0});
    right.epoch = kTestEpoch + 1;
    return right;
  });
  const Transcript said = ExpectAsIfNothingFailed(harness);
  EXPECT_THAT(harness.retriever.calls()[2], SizeIs(3));
  EXPECT_EQ(said.chunks.front().epoch, kTestEpoch + 1);
}

// At every moment: before a memory is named, asked for, found, loaded.
TEST(PolicyDetailTest, UnderStrictABankThatIsClosedMeanwhileCostsNoMemory) {
  bool in_both = false;
  for (int finds = 0; finds < 60; ++finds) {
    SCOPED_TRACE(finds);
    MemoryHarness harness;
    harness.bank.SwapAfter(finds);
    harness.retriever.SetChange([&](RetrievalAnswer right) -> absl::StatusOr<RetrievalAnswer> {
      right.epoch = harness.bank.epoch();
      return right;
    });
    const Transcript said = ExpectAsIfNothingFailed(harness, 30);
    in_both |= said.chunks.front().epoch != said.chunks.back().epoch;
    EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_TRUE(harness.AllFree());
  }
  EXPECT_TRUE(in_both);
}

TEST(PolicyDetailTest, StrictReadsAgainWhatADeviceRefused) {
  MemoryHarness harness;
  harness.bank.FailReads(5, absl::InternalError("input/output error"));
  ExpectAsIfNothingFailed(harness);
}

TEST(PolicyDetailTest, StrictGoesOnWithoutADamagedMemoryTheSameEveryTime) {
  MemoryHarness harness;
  for (MemoryId id = 0; id < harness.options.bank_size; id += 3) harness.bank.Damage(id);
  const GenerationRequest request = MemoryRequestFor(PromptOf(12), 20);
  LoopParts parts = PartsOf(harness);
  parts.can_load = [](MemoryId id) { return id % 3 != 0; };
  const ExpectedAnswer expected = AnswerOf(request, harness.options.info, 0, parts);
  for (int i = 0; i < 3; ++i) {
    const Transcript said = ReadAll(*harness.Submit(request).stream);
    EXPECT_EQ(said.ids(), expected.tokens);
    EXPECT_GT(said.last.usage->degraded_chunks, 0);
    EXPECT_EQ(said.last.usage->late_chunks, 0);
  }
}

TEST(PolicyDetailTest, ADeadlineIsKeptToTheTick) {
  MemoryHarness harness({.memory = {.boundary_deadline = kBoundaryDeadline}});
  harness.retriever.courier.Hold();
  const Generation generation =
      harness.Submit(MemoryRequestFor(PromptOf(4), 2, MemoryPolicy::kDeadline));
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.clock.Advance(kBoundaryDeadline - absl::Milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(harness.engine->Snapshot().waiting_for_memory, 1);
  harness.clock.Advance(absl::Milliseconds(1));
  const Transcript said = ReadAll(*generation.stream);
  ASSERT_THAT(said.chunks, SizeIs(1));
  EXPECT_EQ(said.chunks[0].wait_time, kBoundaryDeadline);
  EXPECT_EQ(said.last.usage->memory_wait, kBoundaryDeadline);
  harness.retriever.courier.StopHolding();
}

TEST(PolicyDetailTest, WhatComesInTimeIsUsed) {
  MemoryHarness harness({.memory = {.boundary_deadline = kBoundaryDeadline}});
  harness.bank.courier.Hold();
  const GenerationRequest request = MemoryRequestFor(PromptOf(4), 2, MemoryPolicy::kDeadline);
  const Generation generation = harness.Submit(request);
  ASSERT_TRUE(harness.AwaitWaiting(1));
  harness.clock.Advance(kBoundaryDeadline - absl::Milliseconds(1));
  harness.bank.courier.StopHolding();
  const Transcript said = ReadAll(*generation.stream);
  EXPECT_EQ(said.ids(), AnswerOf(request, harness).tokens);
  EXPECT_FALSE(said.chunks[0].late);
  EXPECT_EQ(said.chunks[0].wait_time, kBoundaryDeadline - absl::Milliseconds(1));
  EXPECT_EQ(said.chunks[0].memories[0].load_time, kBoundaryDeadline - absl::Milliseconds(1));
}

TEST(PolicyDetailTest, OthersGoOnWhileASequenceWaits) {
  MemoryHarness harness;
  harness.retriever.courier.Hold();
  const Generation waiting = harness.Submit(MemoryRequestFor(PromptOf(4), 2));
  ASSERT_TRUE(harness.AwaitWaiting(1));
  GenerationRequest plain = MemoryRequestFor(PromptOf(9), 30);
  plain.memory.enabled = false;
  EXPECT_TRUE(ReadAll(*harness.Submit(plain).stream).last.status.ok());
  EXPECT_FALSE(waiting.stream->final_status().has_value());
  harness.retriever.courier.StopHolding();
  EXPECT_TRUE(ReadAll(*waiting.stream).last.status.ok());
}

}  // namespace
}  // namespace memory3
