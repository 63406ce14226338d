// A step of a sequence with memory allocates what a plain decoder's does, chunk boundaries apart.
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cpu/allocation_count.h"
#include "tests/unit/engine/memory_harness.h"

namespace memory3 {
namespace {

// Says 'x' for ever, and allocates nothing.
class ConstantRunner final : public Runner {
 public:
  const RunnerInfo& info() const override { return info_; }
  void BeginSequence(SequenceSlot, const SamplingParams&, absl::Span<const int32_t>) override {}
  void EndSequence(SequenceSlot) override {}
  absl::Status Run(const Batch& batch, StepOutput* output) override {
    output->Clear();
    for (const BatchSequence& rows : batch.sequences) {
      if (rows.sample) output->sampled.push_back({.slot = rows.slot, .token = 'x'});
    }
    return absl::OkStatus();
  }
  absl::Status FillSlot(MemorySlot, std::shared_ptr<const MemoryTensor>) override {
    return absl::OkStatus();
  }

 private:
  const RunnerInfo info_ = MemoryRunnerInfo(/*chunk_tokens=*/16);
};

// Allocations of every step of an answer, by the number of tokens there were before it.
std::map<int, int64_t> AllocationsPerStep(bool with_memory, int max_tokens) {
  TestBank bank(40);
  ScriptedRetriever retriever(40, 2);
  MemoryLoader loader({.host_cache_bytes = 1 << 20}, bank, bank, nullptr);
  ConstantRunner runner;
  const ByteTokenizer tokenizer;
  EngineObserver observer;
  ManualClock clock;
  WakeSignal wake;
  EngineCounters counters;
  EngineOptions options;
  options.max_batch_tokens = 32;
  options.memory = EngineMemory{.retriever = &retriever, .store = &bank, .loader = &loader};
  Inbox inbox(4, 1000, 4);
  EngineLoop loop(options, runner, tokenizer, observer, clock, wake, inbox, counters);

  GenerationRequest request = MemoryRequestFor(PromptOf(16), max_tokens);
  request.memory.enabled = with_memory;
  const RunnerMemoryInfo& memory = runner.info().memory;
  auto session = std::make_unique<MemorySession>(
      request.memory, request.prompt, max_tokens,
      ChunkPlan(16, max_tokens, memory.chunk_tokens, /*lead_tokens=*/0), 2, 2, tokenizer);
  auto stream = std::make_shared<GenerationStream>(64);
  M3_CHECK(inbox
               .Submit(std::make_unique<Sequence>(
                   1, request, std::vector<int32_t>(), stream, tokenizer, clock.Steady(),
                   absl::InfiniteDuration(), with_memory ? std::move(session) : nullptr))
               .ok());
  std::map<int, int64_t> allocations;
  int tokens = 0;
  while (!stream->final_status().has_value()) {
    const int64_t before = AllocationCount();
    loop.Step();
    const int64_t after = AllocationCount();
    const int tokens_before = tokens;
    while (std::optional<GenerationEvent> event = stream->TryNext()) {
      tokens += static_cast<int>(event->tokens.size());
    }
    if (tokens > tokens_before) allocations[tokens_before] = after - before;
  }
  EXPECT_EQ(tokens, max_tokens);
  return allocations;
}

TEST(EngineMemoryAllocationTest, OnlyBoundariesCostMore) {
  const std::map<int, int64_t> plain = AllocationsPerStep(false, 70);
  const std::map<int, int64_t> with_memory = AllocationsPerStep(true, 70);
  ASSERT_EQ(plain.size(), with_memory.size());
  int boundaries = 0;
  for (const auto& [tokens, count] : with_memory) {
    if (tokens < 2) continue;  // the prompt's, and the first growth of scratch
    // A query leaves with token 15, 31, ...; its answer is taken in the steps after.
    const bool at_boundary = tokens % 16 == 15 || tokens % 16 <= 1;
    boundaries += at_boundary;
    if (!at_boundary) {
      EXPECT_EQ(count, plain.at(tokens)) << "after " << tokens;
    }
  }
  EXPECT_GT(boundaries, 8);
}

}  // namespace
}  // namespace memory3
