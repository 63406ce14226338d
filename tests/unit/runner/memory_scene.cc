#include "tests/unit/runner/memory_scene.h"

#include <algorithm>
#include <iterator>

#include "engine/base/check.h"

namespace memory3 {
namespace {

std::vector<std::vector<int32_t>> RandomReferences(std::mt19937& random) {
  std::vector<std::vector<int32_t>> references;
  for (int i = 0; i < MemoryScene::kReferences; ++i) {
    references.emplace_back(i == 1 ? 3 : 1 + random() % 40);
    for (int32_t& token : references.back()) token = static_cast<int32_t>(random() % 101);
  }
  return references;
}

std::vector<std::vector<int>> RandomSets(std::mt19937& random) {
  std::vector<std::vector<int>> sets(MemoryScene::kChunks);
  for (std::vector<int>& set : sets) {
    for (int reference = 0; reference < MemoryScene::kReferences; ++reference) {
      set.push_back(reference);
    }
    std::shuffle(set.begin(), set.end(), random);
    set.resize(random() % 5);  // none to all four
  }
  return sets;
}

}  // namespace

ModelConfig MemorySceneConfig(int heads, int kv_heads, int head_dim) {
  ModelConfig config;
  config.hidden = 40;
  config.layers = 4;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = head_dim;
  config.mlp = 48;
  config.vocab = 101;
  config.max_context = 160;
  return config;
}

RunnerMemoryOptions MemorySceneOptions() {
  RunnerMemoryOptions memory;
  memory.config.layers = {0, 2};
  memory.config.reference_tokens = 40;
  memory.config.kept_tokens = 5;
  memory.config.memories_per_chunk = 4;
  memory.config.chunk_tokens = MemoryScene::kChunkTokens;
  memory.prefix_ids = {1, 17, 30};
  memory.slots = MemoryScene::kSlots;
  return memory;
}

std::vector<std::shared_ptr<const MemoryTensor>> EncodeAll(
    Runner& runner, const std::vector<std::vector<int32_t>>& references) {
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const std::vector<absl::Span<const int32_t>> spans(references.begin(), references.end());
  M3_CHECK(runner.EncodeReferences(spans, &memories).ok());
  return memories;
}

MemoryScene::MemoryScene(std::mt19937& random) : references(RandomReferences(random)) {
  for (int s = 0; s + 1 < RunnerBench::kSequences; ++s) sets.push_back(RandomSets(random));
}

void MemoryScene::SetUp(RunnerBench& bench, size_t batch,
                        const std::vector<MemorySlot>& slot_of) const {
  for (size_t begin = 0; begin < references.size(); begin += batch) {
    const size_t end = std::min(begin + batch, references.size());
    const auto memories =
        EncodeAll(bench.runner(), {references.begin() + begin, references.begin() + end});
    for (size_t i = begin; i < end; ++i) {
      M3_CHECK(bench.runner().FillSlot(slot_of[i], memories[i - begin]).ok());
    }
  }
  for (size_t s = 0; s < sets.size(); ++s) {
    std::vector<std::vector<MemorySlot>> slots;
    for (const std::vector<int>& set : sets[s]) {
      slots.emplace_back();
      for (const int reference : set) slots.back().push_back(slot_of[reference]);
    }
    bench.UseMemory(static_cast<int>(s), std::move(slots));
  }
}

void RunInPieces(RunnerBench& bench, std::mt19937& random, int max_rows, int tokens) {
  int done[RunnerBench::kSequences] = {};
  while (*std::min_element(std::begin(done), std::end(done)) < tokens) {
    std::vector<RunnerPiece> pieces;
    int rows = 0;
    for (int s = 0; s < RunnerBench::kSequences; ++s) {
      const int left = std::min(tokens - done[s], max_rows - rows);
      if (left == 0 || random() % 3 == 0) continue;
      const int count = random() % 2 ? 1 : 1 + static_cast<int>(random() % left);
      pieces.push_back({s, done[s], count});
      done[s] += count;
      rows += count;
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    if (!pieces.empty()) bench.Step(pieces);
  }
}

}  // namespace memory3
