#include "engine/runner/batch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace memory3 {
namespace {

class BatchCheckTest : public testing::Test {
 protected:
  BatchCheckTest() : slots_(4) {
    info_.vocab = 10;
    info_.max_context = 40;
    info_.kv_block_tokens = 16;
    info_.kv_blocks = 5;
    info_.max_sequences = 4;
    info_.max_batch_rows = 6;
    slots_[1].open = slots_[2].open = true;
  }

  BatchSequence Valid(SequenceSlot slot) {
    BatchSequence sequence;
    sequence.slot = slot;
    sequence.tokens = tokens_;
    sequence.first_position = 15;
    sequence.block_table = blocks_;
    sequence.logit_rows = logit_rows_;
    return sequence;
  }
  absl::Status Check(const std::vector<BatchSequence>& sequences) {
    return CheckBatch(Batch{sequences}, info_, ++step_, slots_, slot_tokens_);
  }
  void ExpectRefused(const std::string& message, std::function<void(BatchSequence&)> change) {
    BatchSequence sequence = Valid(1);
    change(sequence);
    const absl::Status status = Check({sequence});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(message));
  }

  RunnerInfo info_;
  std::vector<SlotState> slots_;
  std::vector<int32_t> slot_tokens_;
  uint64_t step_ = 0;
  const std::vector<int32_t> tokens_ = {0, 9, 5}, logit_rows_ = {0, 2};
  const std::vector<KvBlockId> blocks_ = {4, 0};
};

TEST_F(BatchCheckTest, AcceptsWhatFits) {
  EXPECT_TRUE(Check({}).ok());
  EXPECT_TRUE(Check({Valid(1), Valid(2)}).ok());
  EXPECT_TRUE(Check({Valid(2), Valid(1)}).ok());
}

TEST_F(BatchCheckTest, RefusesEveryIndexThatIsOutOfRange) {
  const std::vector<int32_t> high = {10}, negative = {-1}, twice = {1, 1}, beyond = {3};
  const std::vector<KvBlockId> no_block = {4, 5}, negative_block = {-1, 0};
  ExpectRefused("slot is not in", [](BatchSequence& s) { s.slot = 4; });
  ExpectRefused("slot is not in", [](BatchSequence& s) { s.slot = -1; });
  ExpectRefused("not open", [](BatchSequence& s) { s.slot = 3; });
  ExpectRefused("no tokens", [](BatchSequence& s) { s.tokens = {}; });
  ExpectRefused("token 10", [&](BatchSequence& s) { s.tokens = high; });
  ExpectRefused("token -1", [&](BatchSequence& s) { s.tokens = negative; });
  ExpectRefused("positions", [](BatchSequence& s) { s.first_position = -1; });
  ExpectRefused("positions", [](BatchSequence& s) { s.first_position = 38; });
  ExpectRefused("positions", [](BatchSequence& s) { s.first_position = 2147483647; });
  ExpectRefused("2 KV blocks", [](BatchSequence& s) { s.block_table = s.block_table.first(1); });
  ExpectRefused("KV block 5", [&](BatchSequence& s) { s.block_table = no_block; });
  ExpectRefused("KV block -1", [&](BatchSequence& s) { s.block_table = negative_block; });
  ExpectRefused("logit_rows", [&](BatchSequence& s) { s.logit_rows = twice; });
  ExpectRefused("logit_rows", [&](BatchSequence& s) { s.logit_rows = beyond; });
  ExpectRefused("logit_rows", [&](BatchSequence& s) { s.logit_rows = negative; });
}

TEST_F(BatchCheckTest, ASampledTokenIsKnownToARunnerThatRunsAheadOnceItsSlotHasSampled) {
  const std::vector<int32_t> sampled = {kSampledToken}, two = {kSampledToken, 1};
  BatchSequence next = Valid(1);
  next.logit_rows = {};
  next.tokens = sampled;
  BatchSequence prompt = Valid(1);
  EXPECT_FALSE(Check({next}).ok());
  info_.runs_ahead = true;
  EXPECT_FALSE(Check({next}).ok());
  EXPECT_TRUE(Check({prompt}).ok());
  EXPECT_FALSE(Check({next}).ok());
  prompt.sample = true;
  EXPECT_TRUE(Check({prompt}).ok());
  EXPECT_TRUE(Check({next}).ok());
  next.tokens = two;
  EXPECT_FALSE(Check({next}).ok());
  next = Valid(2);
  next.logit_rows = {};
  next.tokens = sampled;
  EXPECT_FALSE(Check({next}).ok());
}

TEST_F(BatchCheckTest, RefusesRepetitionsAndTooManyRows) {
  EXPECT_THAT(std::string(Check({Valid(1), Valid(1)}).message()), testing::HasSubstr("twice"));
  EXPECT_TRUE(Check({Valid(1)}).ok()) << "an error must not stick to the slot";
  info_.max_batch_rows = 5;
  EXPECT_THAT(std::string(Check({Valid(1), Valid(2)}).message()), testing::HasSubstr("6 rows"));
}

// Four slots, two of them filled, three memories per chunk.
class MemoryBatchCheckTest : public BatchCheckTest {
 protected:
  MemoryBatchCheckTest() : shape_{1, 1, 2, 4, DType::kF32} {
    slot_tokens_ = {0, 1, 0, 1};
    info_.memory.slots = 4;
    info_.memory.memories_per_chunk = 3;
    info_.memory.position_offset = 10;
  }

  void ExpectSets(const std::string& message, std::vector<RowMemories> sets) {
    ExpectRefused(message, [&](BatchSequence& s) {
      s.use_memory = true;
      s.memories = sets;
    });
  }

  const MemoryShape shape_;
};

TEST_F(MemoryBatchCheckTest, AcceptsWhatFits) {
  const std::vector<MemorySlot> both = {3, 1}, one = {1};
  const std::vector<RowMemories> sets = {{0, both}, {1, {}}, {2, one}};
  BatchSequence sequence = Valid(1);
  sequence.use_memory = true;
  EXPECT_TRUE(Check({sequence}).ok()) << "no memories at all";
  sequence.memories = sets;
  const absl::Status status = Check({sequence, Valid(2)});
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(MemoryBatchCheckTest, RefusesWhatIsNotThere) {
  const std::vector<MemorySlot> one = {1}, high = {4}, negative = {-1}, empty = {1, 2},
                                twice = {3, 3}, four = {0, 1, 2, 3};
  ExpectSets("first_row must begin at 0", {{1, one}});
  ExpectSets("first_row must begin at 0", {{-1, one}});
  ExpectSets("got 0", {{0, one}, {0, one}});
  ExpectSets("got 1", {{0, one}, {2, one}, {1, one}});
  ExpectSets("got 3", {{0, one}, {3, one}});
  ExpectSets("memory slot 4", {{0, high}});
  ExpectSets("memory slot -1", {{0, one}, {1, negative}});
  ExpectSets("memory slot 2 was never filled", {{0, empty}});
  ExpectSets("memory slot 3 appears twice", {{0, twice}});
  ExpectSets("at most 3", {{0, four}});
  const std::vector<RowMemories> sets = {{0, one}};
  ExpectRefused("without use_memory", [&](BatchSequence& s) { s.memories = sets; });
  // Prefix and references take positions of the context away.
  const std::vector<KvBlockId> three = {4, 0, 1};
  const auto at = [&](int position, bool use_memory) {
    BatchSequence sequence = Valid(1);
    sequence.first_position = position;
    sequence.block_table = three;
    sequence.use_memory = use_memory;
    return Check({sequence}).ok();
  };
  EXPECT_TRUE(at(27, true));
  EXPECT_FALSE(at(28, true));
  EXPECT_TRUE(at(37, false));
  slot_tokens_.clear();
  EXPECT_FALSE(at(15, true)) << "a runner without memory";
}

TEST_F(MemoryBatchCheckTest, RefusesTensorsThatDoNotFitASlot) {
  const std::shared_ptr<MemoryTensor> tensor = NewMemoryTensor(shape_);
  const auto expect = [&](const std::string& message, std::function<void(MemoryTensor&)> change) {
    MemoryTensor changed = *tensor;
    changed.tokens = 2;
    change(changed);
    const absl::Status status = CheckMemoryTensor(changed, shape_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(message));
  };
  tensor->tokens = 2;
  EXPECT_TRUE(CheckMemoryTensor(*tensor, shape_).ok());
  expect("1 layers, 1 KV heads, 2 tokens, head_dim 8, F32",
         [](MemoryTensor& t) { t.shape.head_dim = 8; });
  expect("BF16", [](MemoryTensor& t) { t.shape.dtype = DType::kBF16; });
  expect("0 tokens", [](MemoryTensor& t) { t.tokens = 0; });
  expect("3 tokens", [](MemoryTensor& t) { t.tokens = 3; });
  expect("63 bytes", [](MemoryTensor& t) { t.bytes = t.bytes.first(63); });
}

}  // namespace
}  // namespace memory3
