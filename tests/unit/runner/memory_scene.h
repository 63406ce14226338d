// Random references and memory sets for whole runners of any kind, and random ways to run them.
#ifndef MEMORY3_TESTS_UNIT_RUNNER_MEMORY_SCENE_H_
#define MEMORY3_TESTS_UNIT_RUNNER_MEMORY_SCENE_H_

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/runner/runner.h"
#include "tests/unit/runner/runner_bench.h"

namespace memory3 {

// A decoder of four layers with a context for a RunnerBench's sequences beside prefix and
// references.
ModelConfig MemorySceneConfig(int heads, int kv_heads, int head_dim);
// Two memory layers, references of up to 40 tokens of which 5 are kept, chunks of 13 tokens.
RunnerMemoryOptions MemorySceneOptions();

// Aborts on error.
std::vector<std::shared_ptr<const MemoryTensor>> EncodeAll(
    Runner& runner, const std::vector<std::vector<int32_t>>& references);

struct MemoryScene {
  static constexpr int kReferences = 6;
  static constexpr int kChunkTokens = 13;
  static constexpr int kChunks = (RunnerBench::kTokens + kChunkTokens - 1) / kChunkTokens;
  static constexpr int kSlots = 12;

  explicit MemoryScene(std::mt19937& random);
  // Encodes the references, as many at once as `batch`, and shows them to the sequences when
  // reference r lies in slot_of[r].
  void SetUp(RunnerBench& bench, size_t batch, const std::vector<MemorySlot>& slot_of) const;

  std::vector<std::vector<int32_t>> references;  // the second is shorter than what a memory keeps
  // (sequence, chunk): references seen. The last sequence is a plain decoder.
  std::vector<std::vector<std::vector<int>>> sets;
};

// Random pieces of random sequences per step, at most `max_rows` rows, until `tokens` of each are
// done.
void RunInPieces(RunnerBench& bench, std::mt19937& random, int max_rows,
                 int tokens = RunnerBench::kTokens);

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_RUNNER_MEMORY_SCENE_H_
