// A warm runner does not allocate: counts every operator new of the process.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/unit/cpu/random_model.h"
#include "tests/unit/cpu/runner_bench.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const size_t align = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

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
    before = allocations.load();
    for (SequenceSlot slot : {0, 1}) (*runner)->BeginSequence(slot, params, tokens);
    EXPECT_TRUE(!warm || allocations.load() == before) << "BeginSequence allocates";
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
      before = allocations.load();
      ASSERT_TRUE((*runner)->Run(batch, &output).ok());
      EXPECT_TRUE(!warm || allocations.load() == before) << "Run allocates in step " << step;
    }
    for (SequenceSlot slot : {0, 1}) (*runner)->EndSequence(slot);
  }
}

}  // namespace
}  // namespace memory3
