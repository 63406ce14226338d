// A warm runner does not allocate: counts every operator new of the process.
#include <gtest/gtest.h>

#include <vector>

#include "engine/cpu/cpu_runner.h"
#include "tests/unit/cpu/allocation_count.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

TEST(AllocationTest, AWarmRunnerDoesNotAllocate) {
  ModelConfig config;
  config.hidden = 48;
  config.layers = 2;
  config.heads = 6;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.mlp = 64;
  config.vocab = 3000;
  config.max_context = 128;
  const RandomModel model = MakeRandomModel(config, 1);
  CpuRunnerOptions options;
  options.threads = 2;
  auto runner = CreateCpuRunner(config, model.weights, options);
  ASSERT_TRUE(runner.ok()) << runner.status();

  const std::vector<int32_t> tokens(40, 7), logit_rows = {0, 39};
  const std::vector<KvBlockId> blocks[] = {{0, 1, 2, 3}, {4, 5, 6, 7}};
  SamplingParams params;
  params.top_k = 50;
  params.top_p = 0.9f;
  params.top_logprobs = 5;
  params.frequency_penalty = 0.5f;
  params.logit_bias = {{5, 1.0f}, {6, -1.0f}};
  StepOutput output;
  int64_t before = 0;
  for (const bool warm : {false, true}) {
    before = AllocationCount();
    for (SequenceSlot slot : {0, 1}) (*runner)->BeginSequence(slot, params, tokens);
    EXPECT_TRUE(!warm || AllocationCount() == before) << "BeginSequence allocates";
    // Building the batch is the caller's: only Run is counted.
    for (int step = 0; step < 12; ++step) {
      Batch batch;
      for (SequenceSlot slot : {0, 1}) {
        BatchSequence& sequence = batch.sequences.emplace_back();
        sequence.slot = slot;
        sequence.tokens = absl::MakeConstSpan(tokens).first(step == 0 ? 40 : 1);
        sequence.first_position = step == 0 ? 0 : 39 + step;
        sequence.block_table = blocks[slot];
        sequence.sample = true;
        if (step == 0) sequence.logit_rows = logit_rows;
      }
      before = AllocationCount();
      ASSERT_TRUE((*runner)->Run(batch, &output).ok());
      EXPECT_TRUE(!warm || AllocationCount() == before) << "Run allocates in step " << step;
    }
    for (SequenceSlot slot : {0, 1}) (*runner)->EndSequence(slot);
  }
}

// Chunks change and slots are filled anew while the sequence goes on.
TEST(AllocationTest, NeitherDoesOneWithMemory) {
  ModelConfig config;
  config.hidden = 48;
  config.layers = 3;
  config.heads = 6;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.mlp = 64;
  config.vocab = 300;
  config.max_context = 128;
  const RandomModel model = MakeRandomModel(config, 1);
  CpuRunnerOptions options;
  options.threads = 2;
  RunnerMemoryOptions& memory = options.memory.emplace();
  memory.config.layers = {0, 1};
  memory.config.reference_tokens = 20;
  memory.prefix_ids = {1, 2};
  memory.slots = 5;
  auto runner = CreateCpuRunner(config, model.weights, options);
  ASSERT_TRUE(runner.ok()) << runner.status();
  const std::vector<int32_t> tokens(40, 7);
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const absl::Span<const int32_t> reference = absl::MakeConstSpan(tokens).first(20);
  ASSERT_TRUE((*runner)->EncodeReferences({reference, reference.first(3)}, &memories).ok());

  const std::vector<KvBlockId> blocks = {0, 1, 2, 3};
  const std::vector<MemorySlot> slots = {3, 0, 4};
  const std::vector<RowMemories> sets = {{0, slots}, {16, {}}, {32, slots}};
  StepOutput output;
  int64_t before = 0;
  for (const bool warm : {false, true}) {
    (*runner)->BeginSequence(0, {}, tokens);
    for (int step = 0; step < 12; ++step) {
      Batch batch;
      BatchSequence& sequence = batch.sequences.emplace_back();
      sequence.tokens = absl::MakeConstSpan(tokens).first(step == 0 ? 40 : 1);
      sequence.first_position = step == 0 ? 0 : 39 + step;
      sequence.block_table = blocks;
      sequence.sample = true;
      sequence.use_memory = true;
      sequence.memories = absl::MakeConstSpan(sets).first(step == 0 ? 3 : 1);
      before = AllocationCount();
      for (const MemorySlot slot : slots) {
        ASSERT_TRUE((*runner)->FillSlot(slot, memories[(step + slot) % 2]).ok());
      }
      EXPECT_TRUE(!warm || AllocationCount() == before) << "FillSlot allocates in step " << step;
      const absl::Status status = (*runner)->Run(batch, &output);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_TRUE(!warm || AllocationCount() == before) << "Run allocates in step " << step;
    }
    (*runner)->EndSequence(0);
  }
}

}  // namespace
}  // namespace memory3
