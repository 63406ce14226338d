// The tables of random batches, against what each row of a batch is.
#include "engine/cuda/step_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

constexpr StepLimits kLimits = {.rows = 200,
                                .sequences = 8,
                                .max_blocks = 10,
                                .block_tokens = 16,
                                .memories_per_chunk = 3,
                                .prefill_tile_rows = 16};
constexpr int kOffset = 40;

// A random batch with what its spans point to.
struct RandomBatch {
  explicit RandomBatch(std::mt19937& random) {
    const int sequences = 1 + random() % 8;
    tokens.resize(sequences);
    blocks.resize(sequences);
    logit_rows.resize(sequences);
    slots.resize(sequences);
    sets.resize(sequences);
    for (int i = 0; i < sequences; ++i) AddSequence(random, i);
  }

  void AddSequence(std::mt19937& random, int i) {
    const int rows = random() % 2 ? 1 : 1 + random() % 25;
    for (int row = 0; row < rows; ++row) {
      tokens[i].push_back(rows == 1 && random() % 3 == 0 ? kSampledToken : random() % 100);
      if (random() % 4 == 0) logit_rows[i].push_back(row);
    }
    for (int b = 0; b < 10; ++b) blocks[i].push_back(random() % 1000);
    BatchSequence& sequence = batch.sequences.emplace_back();
    sequence.slot = 7 - i;
    sequence.tokens = tokens[i];
    sequence.first_position = random() % (160 - rows);
    sequence.block_table = blocks[i];
    sequence.sample = random() % 2;
    sequence.use_memory = random() % 2;
    sequence.logit_rows = logit_rows[i];
    if (!sequence.use_memory || random() % 4 == 0) return;
    slots[i].resize(rows);
    for (int row = 0; row < rows; ++row) {
      if (row > 0 && random() % 5 != 0) continue;
      for (uint32_t s = random() % 4; s > 0; --s) slots[i][row].push_back(10 * s + row);
      sets[i].push_back({row, slots[i][row]});
    }
    sequence.memories = sets[i];
  }

  // Slots of the row's set.
  std::vector<int32_t> SlotsOf(int sequence, int row) const {
    std::vector<int32_t> result;
    for (const RowMemories& set : sets[sequence]) {
      if (set.first_row <= row) result.assign(set.slots.begin(), set.slots.end());
    }
    result.resize(kLimits.memories_per_chunk, -1);
    return result;
  }

  Batch batch;
  std::vector<std::vector<int32_t>> tokens, blocks, logit_rows;
  std::vector<std::vector<std::vector<MemorySlot>>> slots;
  std::vector<std::vector<RowMemories>> sets;
};

class StepInputTest : public testing::Test {
 protected:
  StepInputTest() : input_(*StepInput::Create(kLimits)) {}

  void Build(const Batch& batch, StepRules rules) {
    rules.memory_offset = kOffset;
    rules.prompt_tokens = prompt_tokens_;
    ASSERT_TRUE(input_.Build(batch, rules).ok());
    input_.Upload(stream_);
    ASSERT_TRUE(stream_.Synchronize().ok());
  }

  // What the device knows of row `row` of sequence `index`.
  void ExpectRow(const RandomBatch& random, int index, int row) {
    const BatchSequence& sequence = random.batch.sequences[index];
    const int at = input_.first_row(index) + row;
    const int place = sequence.first_position + row;
    const RowTables rows = input_.rows();
    EXPECT_EQ(rows.token[at], sequence.tokens[row] == kSampledToken
                                  ? -1 - sequence.slot  // SampledTokenAt
                                  : sequence.tokens[row]);
    EXPECT_EQ(rows.position[at], place + (sequence.use_memory ? kOffset : 0));
    EXPECT_EQ(rows.sequence[at], index);
    EXPECT_EQ(rows.kv_token[at], sequence.block_table[place / 16] * 16 + place % 16);
    EXPECT_EQ(rows.visible[at], place + 1);
    PagedLayer<float> layer;
    input_.SetTables(layer);
    for (int block = 0; block <= place / 16; ++block) {
      EXPECT_EQ(layer.block_tables[index * layer.max_blocks + block], sequence.block_table[block]);
    }
    const int set = rows.memory_set[at];
    ASSERT_EQ(set >= 0, sequence.use_memory);
    if (set < 0) return;
    const int32_t* slots = input_.set_slots() + set * kLimits.memories_per_chunk;
    EXPECT_EQ(std::vector<int32_t>(slots, slots + kLimits.memories_per_chunk),
              random.SlotsOf(index, row));
  }

  std::vector<int32_t> prompt_tokens_ = std::vector<int32_t>(8, 0);
  Stream stream_ = NewStream();
  StepInput input_;
};

TEST_F(StepInputTest, EveryRowHasItsTables) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const RandomBatch batch(random);
    for (int32_t& tokens : prompt_tokens_) tokens = static_cast<int32_t>(random() % 160);
    Build(batch.batch, {});
    std::vector<int> owner(input_.sizes().rows, -1);
    size_t logit = 0;
    for (size_t i = 0; i < batch.batch.sequences.size(); ++i) {
      const BatchSequence& sequence = batch.batch.sequences[i];
      const auto index = static_cast<int>(i);
      for (int row = 0; row < static_cast<int>(sequence.tokens.size()); ++row) {
        EXPECT_EQ(owner[input_.first_row(index) + row], -1);
        owner[input_.first_row(index) + row] = index;
        ExpectRow(batch, index, row);
        const bool last = row + 1 == static_cast<int>(sequence.tokens.size());
        const auto& listed = batch.logit_rows[i];
        const bool returned = std::find(listed.begin(), listed.end(), row) != listed.end();
        const bool sampled = last && sequence.sample;
        if (!returned && !sampled) continue;
        EXPECT_EQ(input_.logit_row()[logit], input_.first_row(index) + row);
        EXPECT_EQ(input_.sample_slot()[logit], sampled ? sequence.slot : -1);
        EXPECT_EQ(input_.logit_rows()[logit].return_row, returned);
        EXPECT_EQ(input_.logit_rows()[logit].sample, sampled);
        EXPECT_EQ(input_.logit_rows()[logit].slot, sequence.slot);
        ++logit;
      }
    }
    EXPECT_EQ(logit, input_.logit_rows().size());
  }
}

TEST_F(StepInputTest, PromptRowsAreInTilesOfOneSequenceAndOneSet) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const RandomBatch batch(random);
    for (int32_t& tokens : prompt_tokens_) tokens = static_cast<int32_t>(random() % 160);
    Build(batch.batch, {});
    const RowTables rows = input_.rows();
    for (size_t i = 0; i < batch.batch.sequences.size(); ++i) {
      const BatchSequence& sequence = batch.batch.sequences[i];
      EXPECT_EQ(input_.first_row(static_cast<int>(i)) < input_.decode_rows(),
                sequence.first_position >= prompt_tokens_[sequence.slot]);
    }
    int next = input_.decode_rows();
    for (int i = 0; i < input_.tile_count(); ++i) {
      const PrefillTile& tile = input_.tiles()[i];
      EXPECT_EQ(tile.first_row, next);
      EXPECT_GE(tile.rows, 1);
      EXPECT_LE(tile.rows, kLimits.prefill_tile_rows);
      next += tile.rows;
      for (int row = tile.first_row; row < next; ++row) {
        EXPECT_EQ(rows.sequence[row], rows.sequence[tile.first_row]);
        EXPECT_EQ(rows.memory_set[row], rows.memory_set[tile.first_row]);
        EXPECT_EQ(rows.position[row], rows.position[tile.first_row] + row - tile.first_row);
      }
    }
    EXPECT_EQ(next, input_.sizes().rows);
    int most = 0;
    for (int row = 0; row < input_.decode_rows(); ++row) most = std::max(most, rows.visible[row]);
    EXPECT_EQ(input_.decode_context(), most);
    prompt_tokens_.assign(8, 0);
    Build(batch.batch, {});
    EXPECT_EQ(input_.tile_count(), 0);
    EXPECT_TRUE(input_.all_decode());
  }
}

TEST_F(StepInputTest, AStepIsPaddedWithRowsOfNoSequence) {
  const std::vector<int32_t> tokens = {5}, blocks = {3, 4};
  Batch batch;
  for (int i = 0; i < 3; ++i) {
    batch.sequences.push_back({.slot = i,
                               .tokens = tokens,
                               .first_position = 17,
                               .block_table = blocks,
                               .sample = i > 0});
  }
  Build(batch, {.padded_rows = 5, .table_blocks = 6});
  const StepSizes before = input_.sizes();
  EXPECT_EQ(before.rows, 5);
  EXPECT_EQ(before.logit_rows, 5);
  const int32_t* token = input_.rows().token;
  for (int row = 0; row < 5; ++row) EXPECT_EQ(input_.rows().sequence[row], row < 3 ? row : -1);
  for (int row = 0; row < 5; ++row) {
    EXPECT_EQ(input_.sample_slot()[row], row == 0 ? 1 : row == 1 ? 2 : -1);
  }
  // Another batch of the same padded size has its tables in the same places.
  batch.sequences.pop_back();
  Build(batch, {.padded_rows = 5, .table_blocks = 6});
  EXPECT_EQ(input_.sizes(), before);
  EXPECT_EQ(input_.rows().token, token);
}

}  // namespace
}  // namespace memory3::cuda
