// A warm runner does not allocate: counts every operator new of the process.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/cpu/allocation_count.h"
#include "tests/unit/cpu/random_model.h"
#include "tests/unit/cpu/runner_bench.h"

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

}  // namespace
}  // namespace memory3
