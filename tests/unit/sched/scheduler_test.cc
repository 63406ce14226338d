#include "engine/sched/scheduler.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/byte_tokenizer.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SchedulerTest : public testing::Test {
 protected:
  RunnerInfo info_{.vocab = 257,
                   .max_context = 256,
                   .kv_block_tokens = 4,
                   .kv_blocks = 20,
                   .max_sequences = 4,
                   .max_batch_rows = 16};
  const ByteTokenizer tokenizer_;
  RequestId next_id_ = 1;

  std::unique_ptr<Sequence> MakeSequence(int prompt, int max_tokens,
                                         absl::Duration deadline = absl::InfiniteDuration()) {
    GenerationRequest request;
    request.prompt.resize(prompt, 'a');
    request.max_tokens = max_tokens;
    return std::make_unique<Sequence>(next_id_++, std::move(request), std::vector<int32_t>{},
                                      std::make_shared<GenerationStream>(8), tokenizer_,
                                      absl::ZeroDuration(), deadline);
  }

  static std::vector<RequestId> Admit(Scheduler& scheduler) {
    std::vector<RequestId> ids;
    scheduler.Admit([&ids](Sequence& sequence) { ids.push_back(sequence.id); });
    return ids;
  }

  // Rows of each member, and the state as if the step had run.
  static std::vector<std::pair<RequestId, int>> RunStep(Scheduler& scheduler) {
    StepPlan plan;
    scheduler.BuildStep(&plan);
    std::vector<std::pair<RequestId, int>> rows;
    for (size_t i = 0; i < plan.members.size(); ++i) {
      const BatchSequence& sequence = plan.batch.sequences[i];
      const int count = static_cast<int>(sequence.tokens.size());
      EXPECT_LE(sequence.first_position + count, static_cast<int>(sequence.block_table.size()) * 4);
      rows.emplace_back(plan.members[i]->id, count);
      plan.members[i]->RowsStarted(count, plan.batch.sequences[i].sample);
    }
    return rows;
  }

  static void End(Scheduler& scheduler, RequestId id) {
    scheduler.ForEach([id](Sequence& sequence) {
      if (sequence.id == id) sequence.End(absl::CancelledError(""));
    });
    std::vector<std::unique_ptr<Sequence>> finished;
    scheduler.RemoveFinished([](Sequence&) {}, &finished);
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(finished[0]->id, id);
  }
};

TEST_F(SchedulerTest, ReservesTheWorstCase) {
  Scheduler scheduler(info_, 16);
  scheduler.Enqueue(MakeSequence(5, 8));  // 13 tokens: 4 blocks
  EXPECT_THAT(Admit(scheduler), ElementsAre(1));
  EXPECT_EQ(scheduler.kv_blocks_used(), 4);
  RunStep(scheduler);
  EXPECT_EQ(scheduler.kv_blocks_used(), 4);
  End(scheduler, 1);
  EXPECT_EQ(scheduler.kv_blocks_used(), 0);
}

TEST_F(SchedulerTest, NobodyOvertakesALargeRequestThatWaits) {
  Scheduler scheduler(info_, 16);
  scheduler.Enqueue(MakeSequence(10, 30));  // 10 blocks
  scheduler.Enqueue(MakeSequence(20, 40));  // 15 blocks: waits
  scheduler.Enqueue(MakeSequence(1, 1));    // would fit
  EXPECT_THAT(Admit(scheduler), ElementsAre(1));
  EXPECT_EQ(scheduler.queued(), 2);
  End(scheduler, 1);
  EXPECT_THAT(Admit(scheduler), ElementsAre(2, 3));
}

TEST_F(SchedulerTest, AWaitingRequestThatIsDroppedLetsTheNextOnesIn) {
  Scheduler scheduler(info_, 16);
  scheduler.Enqueue(MakeSequence(10, 30));
  scheduler.Enqueue(MakeSequence(20, 40));
  scheduler.Enqueue(MakeSequence(1, 1));
  Admit(scheduler);
  End(scheduler, 2);
  EXPECT_THAT(Admit(scheduler), ElementsAre(3));
}

TEST_F(SchedulerTest, SlotsAreALimitToo) {
  Scheduler scheduler(info_, 16);
  for (int i = 0; i < 6; ++i) scheduler.Enqueue(MakeSequence(1, 1));
  EXPECT_THAT(Admit(scheduler), ElementsAre(1, 2, 3, 4));
  End(scheduler, 3);
  EXPECT_THAT(Admit(scheduler), ElementsAre(5));
}

TEST_F(SchedulerTest, MemorySlotsAreReservedUntilTheEnd) {
  info_.memory = {.slots = 9, .memories_per_chunk = 2, .chunk_tokens = 4};
  Scheduler scheduler(info_, 16);
  const auto with_memory = [this](int prompt, int max_tokens) {
    std::unique_ptr<Sequence> plain = MakeSequence(prompt, max_tokens);
    const ChunkPlan plan(prompt, max_tokens, 4, 0);
    return std::make_unique<Sequence>(
        plain->id, plain->request, std::vector<int32_t>{}, std::make_shared<GenerationStream>(8),
        tokenizer_, absl::ZeroDuration(), absl::InfiniteDuration(),
        std::make_unique<MemorySession>(MemoryRequest{.enabled = true}, plain->request.prompt,
                                        max_tokens, plan, 2, /*window=*/2, tokenizer_));
  };
  scheduler.Enqueue(with_memory(6, 1));  // two chunks: 4 slots
  scheduler.Enqueue(with_memory(2, 9));  // three chunks, of which two hold slots
  scheduler.Enqueue(with_memory(1, 1));  // one chunk: does not fit any more
  scheduler.Enqueue(MakeSequence(1, 1));
  EXPECT_THAT(Admit(scheduler), ElementsAre(1, 2));
  EXPECT_EQ(scheduler.memory_slots_reserved(), 8);
  End(scheduler, 1);
  EXPECT_EQ(scheduler.memory_slots_reserved(), 4);
  EXPECT_THAT(Admit(scheduler), ElementsAre(3, 4));
  EXPECT_EQ(scheduler.memory_slots_reserved(), 6);
}

TEST_F(SchedulerTest, AWaitingSequenceTakesNoPartAndKeepsItsPlace) {
  Scheduler scheduler(info_, 8);
  scheduler.Enqueue(MakeSequence(2, 4));
  scheduler.Enqueue(MakeSequence(2, 4));
  Admit(scheduler);
  scheduler.ForEachRunning([](Sequence& sequence) {
    if (sequence.id == 1) sequence.WaitForMemory();
  });
  EXPECT_EQ(scheduler.waiting_for_memory(), 1);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(2, 2)));
  scheduler.ForEachRunning([](Sequence& sequence) {
    if (sequence.id == 1) sequence.GoOn();
  });
  EXPECT_EQ(scheduler.waiting_for_memory(), 0);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(2, 1), std::pair(1, 2)));
  scheduler.ForEachRunning([](Sequence& sequence) { sequence.WaitForMemory(); });
  EXPECT_THAT(RunStep(scheduler), IsEmpty());
  End(scheduler, 1);
}

TEST_F(SchedulerTest, DecodingSequencesComeFirstAndPromptsFillTheRest) {
  Scheduler scheduler(info_, 8);
  scheduler.Enqueue(MakeSequence(3, 4));
  Admit(scheduler);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 3)));
  scheduler.Enqueue(MakeSequence(10, 2));
  scheduler.Enqueue(MakeSequence(6, 2));
  Admit(scheduler);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 1), std::pair(2, 7)));
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 1), std::pair(2, 3), std::pair(3, 4)));
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 1), std::pair(2, 1), std::pair(3, 2)));
}

TEST_F(SchedulerTest, OnlyThePieceThatEndsAPromptSamples) {
  Scheduler scheduler(info_, 4);
  scheduler.Enqueue(MakeSequence(6, 2));
  Admit(scheduler);
  StepPlan plan;
  scheduler.BuildStep(&plan);
  EXPECT_FALSE(plan.batch.sequences[0].sample);
  EXPECT_EQ(plan.decode_rows, 0);
  plan.members[0]->RowsStarted(4, false);
  scheduler.BuildStep(&plan);
  EXPECT_TRUE(plan.batch.sequences[0].sample);
  EXPECT_EQ(plan.batch.sequences[0].first_position, 4);
  plan.members[0]->RowsStarted(2, true);
  scheduler.BuildStep(&plan);
  EXPECT_TRUE(plan.batch.sequences[0].sample);
  EXPECT_EQ(plan.decode_rows, 1);
}

TEST_F(SchedulerTest, ASequenceWhoseLastTokenIsOnItsWayHasNoFurtherRow) {
  Scheduler scheduler(info_, 16);
  scheduler.Enqueue(MakeSequence(3, 2));
  Admit(scheduler);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 3)));
  // The token that this row is has not been told.
  StepPlan plan;
  scheduler.BuildStep(&plan);
  ASSERT_EQ(plan.rows, 1);
  EXPECT_THAT(plan.batch.sequences[0].tokens, ElementsAre(kSampledToken));
  plan.members[0]->RowsStarted(1, true);
  scheduler.BuildStep(&plan);
  EXPECT_EQ(plan.rows, 0);
  scheduler.ForEach([](Sequence& sequence) {
    GenerationEvent piece;
    sequence.TokenSampled({.id = 'x'}, absl::ZeroDuration(), &piece);
    EXPECT_FALSE(sequence.WantsRows());
    EXPECT_FALSE(piece.finish.has_value());
    sequence.TokenSampled({.id = 'y'}, absl::ZeroDuration(), &piece);
    EXPECT_EQ(piece.finish, FinishReason::kLength);
  });
}

TEST_F(SchedulerTest, NoMoreSequencesRunThanAStepHasRows) {
  Scheduler scheduler(info_, 2);
  for (int i = 0; i < 3; ++i) scheduler.Enqueue(MakeSequence(1, 3));
  EXPECT_THAT(Admit(scheduler), ElementsAre(1, 2));
  RunStep(scheduler);
  EXPECT_THAT(RunStep(scheduler), ElementsAre(std::pair(1, 1), std::pair(2, 1)));
}

TEST_F(SchedulerTest, KnowsTheNextDeadlineInEveryState) {
  Scheduler scheduler(info_, 16);
  EXPECT_EQ(scheduler.NextDeadline(), absl::InfiniteDuration());
  scheduler.Enqueue(MakeSequence(1, 1, absl::Seconds(9)));
  EXPECT_EQ(scheduler.NextDeadline(), absl::Seconds(9));
  Admit(scheduler);
  scheduler.Enqueue(MakeSequence(1, 1, absl::Seconds(5)));
  EXPECT_EQ(scheduler.NextDeadline(), absl::Seconds(5));
  End(scheduler, 2);
  EXPECT_EQ(scheduler.NextDeadline(), absl::Seconds(9));
}

TEST_F(SchedulerTest, AnEmptySchedulerHasNoWork) {
  Scheduler scheduler(info_, 16);
  EXPECT_THAT(RunStep(scheduler), IsEmpty());
}

}  // namespace
}  // namespace memory3
