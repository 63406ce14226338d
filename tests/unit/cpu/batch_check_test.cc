#include "engine/cpu/batch_check.h"

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
    return CheckBatch(Batch{sequences}, info_, ++step_, slots_, nullptr);
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

TEST_F(BatchCheckTest, RefusesRepetitionsAndTooManyRows) {
  EXPECT_THAT(std::string(Check({Valid(1), Valid(1)}).message()), testing::HasSubstr("twice"));
  EXPECT_TRUE(Check({Valid(1)}).ok()) << "an error must not stick to the slot";
  info_.max_batch_rows = 5;
  EXPECT_THAT(std::string(Check({Valid(1), Valid(2)}).message()), testing::HasSubstr("6 rows"));
}

}  // namespace
}  // namespace memory3
