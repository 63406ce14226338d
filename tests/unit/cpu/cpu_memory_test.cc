// Explicit memory in the whole runner: what decides a sequence's bits and what must not. What the
// numbers are is compared with the reference implementation in tests/parity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/cpu/cpu_runner_bench.h"
#include "tests/unit/runner/memory_scene.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int kReferences = MemoryScene::kReferences;
constexpr int kChunkTokens = MemoryScene::kChunkTokens;
constexpr int kChunks = MemoryScene::kChunks;
constexpr int kSlots = MemoryScene::kSlots;

std::vector<ModelConfig> Shapes() {
  return {MemorySceneConfig(3, 3, 6), MemorySceneConfig(8, 1, 10), MemorySceneConfig(6, 2, 16)};
}

std::vector<CpuIsa> SupportedIsas() {
  std::vector<CpuIsa> isas;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16}) {
    if (IsSupported(isa)) isas.push_back(isa);
  }
  return isas;
}

CpuRunnerOptions Options() {
  CpuRunnerOptions options;
  options.memory = MemorySceneOptions();
  return options;
}

TEST(CpuMemoryTest, BitsDependOnTheSequenceAndItsMemoriesAlone) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const ModelConfig& config : Shapes()) {
    const RandomModel model = MakeRandomModel(config, seed);
    const MemoryScene scene(random);
    for (const CpuIsa isa : SupportedIsas()) {
      CpuRunnerOptions options = Options();
      options.isa = isa;
      options.dtype = random() % 2 ? DType::kF32 : DType::kBF16;
      options.threads = 1;
      options.max_batch_rows = 400;
      CpuRunnerBench alone(model, options, 1);
      scene.SetUp(alone, 1, {0, 1, 2, 3, 4, 5});
      for (int s = 0; s < RunnerBench::kSequences; ++s) alone.Step({{s, 0, RunnerBench::kTokens}});

      options.threads = 1 + random() % 3;
      options.kv_block_tokens = random() % 2 ? 16 : 32;
      CpuRunnerBench mixed(model, options, 2);
      // Slots that held other memories before.
      scene.SetUp(mixed, kReferences, {3, 4, 5, 6, 7, 8});
      scene.SetUp(mixed, 2, {11, 4, 8, 3, 0, 7});
      RunInPieces(mixed, random, options.max_batch_rows);
      EXPECT_EQ(alone.all_logits(), mixed.all_logits())
          << NameOf(isa) << " heads " << config.heads << " of " << config.kv_heads;
    }
  }
}

TEST(CpuMemoryTest, AMemorysBitsDoNotDependOnItsBatch) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const TokenSelection rule : {TokenSelection::kSoftmaxSum, TokenSelection::kExpSum}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      CpuRunnerOptions options = Options();
      options.memory->config.selection = rule;
      options.memory->dtype = dtype;
      options.threads = 1 + random() % 3;
      CpuRunnerBench bench(MakeRandomModel(Shapes()[random() % 3], seed), options, 1);
      std::vector<std::vector<int32_t>> references = MemoryScene(random).references;
      const auto together = EncodeAll(bench.runner(), references);
      ASSERT_EQ(together.size(), references.size());
      bench.Step({{0, 0, 50}});  // must leave nothing behind
      for (size_t i = 0; i < references.size(); ++i) {
        const auto alone = EncodeAll(bench.runner(), {references[i]});
        ASSERT_EQ(alone.size(), 1u);
        EXPECT_EQ(alone[0]->bytes, together[i]->bytes) << "reference " << i;
        EXPECT_EQ(alone[0]->kept, together[i]->kept);
        EXPECT_EQ(alone[0]->tokens, std::min<int>(5, references[i].size()));
        EXPECT_EQ(alone[0]->shape, bench.runner().info().memory.shape);
      }
    }
  }
}

// Largest difference of the logits of sequence 0 from row `first` on.
float Difference(const RunnerBench& a, const RunnerBench& b, int first, int end) {
  float largest = 0;
  for (const float* x = a.logits(0, first); x != a.logits(0, end); ++x) {
    largest = std::max(largest, std::abs(*x - b.logits(0, first)[x - a.logits(0, first)]));
  }
  return largest;
}

TEST(CpuMemoryTest, RowsSeeTheMemoriesOfTheirOwnChunk) {
  std::mt19937 random(7);
  const RandomModel model = MakeRandomModel(Shapes()[2], 7);
  const auto references = MemoryScene(random).references;
  const auto run = [&](const std::vector<std::vector<MemorySlot>>& sets) {
    CpuRunnerBench bench(model, Options(), 1);
    const auto memories = EncodeAll(bench.runner(), references);
    for (int i = 0; i < kReferences; ++i) {
      EXPECT_TRUE(bench.runner().FillSlot(i, memories[i]).ok());
    }
    bench.UseMemory(0, sets);
    bench.Step({{0, 0, RunnerBench::kTokens}});
    return bench;
  };
  std::vector<std::vector<MemorySlot>> sets(kChunks);
  const RunnerBench none = run(sets);
  sets[3] = {4, 0};
  const RunnerBench some = run(sets);
  const int begin = 3 * kChunkTokens, end = begin + kChunkTokens;
  EXPECT_EQ(Difference(none, some, 0, begin), 0) << "rows before the chunk";
  for (int row = begin; row < end; ++row) {
    EXPECT_GT(Difference(none, some, row, row + 1), 1e-3) << "row " << row;
  }
  // Later rows attend to what the chunk's rows left in the KV cache, which did change.
  EXPECT_GT(Difference(none, some, end, RunnerBench::kTokens), 0);
}

TEST(CpuMemoryTest, PlainSequencesKnowNothingOfIt) {
  const RandomModel model = MakeRandomModel(Shapes()[0], 3);
  CpuRunnerOptions without = Options();
  without.memory.reset();
  CpuRunnerBench plain(model, without, 1), beside(model, Options(), 1);
  beside.UseMemory(1, std::vector<std::vector<MemorySlot>>(kChunks));
  plain.Step({{0, 0, RunnerBench::kTokens}});
  beside.Step({{1, 0, 40}, {0, 0, RunnerBench::kTokens}});
  EXPECT_EQ(Difference(plain, beside, 0, RunnerBench::kTokens), 0);
}

TEST(CpuMemoryTest, SaysWhatItHolds) {
  CpuRunnerBench bench(MakeRandomModel(Shapes()[1], 3), Options(), 1);
  const RunnerMemoryInfo& info = bench.runner().info().memory;
  EXPECT_EQ(info.shape, (MemoryShape{2, 1, 5, 10, DType::kBF16}));
  EXPECT_EQ(info.slots, kSlots);
  EXPECT_EQ(info.memories_per_chunk, 4);
  EXPECT_EQ(info.chunk_tokens, kChunkTokens);
  EXPECT_EQ(info.reference_tokens, 40);
  EXPECT_EQ(info.prefix_tokens, 3);
  EXPECT_EQ(info.position_offset, 43);
  EXPECT_GE(info.max_references_per_encode, kReferences);
}

TEST(CpuMemoryTest, RefusesReferencesThatCannotBeEncoded) {
  CpuRunnerBench bench(MakeRandomModel(Shapes()[1], 3), Options(), 1);
  const auto expect = [&](const std::string& message,
                          const std::vector<std::vector<int32_t>>& references) {
    const std::vector<absl::Span<const int32_t>> spans(references.begin(), references.end());
    std::vector<std::shared_ptr<const MemoryTensor>> memories;
    const absl::Status status = bench.runner().EncodeReferences(spans, &memories);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  };
  const int most = bench.runner().info().memory.max_references_per_encode;
  expect("reference 1 must have 1 to 40 tokens", {{5}, {}});
  expect("got 41", {std::vector<int32_t>(41, 5)});
  expect("token 101", {{5, 101}});
  expect("token -1", {{-1}});
  expect("at most", std::vector<std::vector<int32_t>>(most + 1, {5}));
  EXPECT_TRUE(EncodeAll(bench.runner(), {}).empty());
  EXPECT_EQ(EncodeAll(bench.runner(), std::vector<std::vector<int32_t>>(most, {5})).size(),
            static_cast<size_t>(most));
}

TEST(CpuMemoryTest, RefusesMemoriesOfAnotherShape) {
  CpuRunnerBench bench(MakeRandomModel(Shapes()[1], 3), Options(), 1);
  MemoryShape shape = bench.runner().info().memory.shape;
  shape.kept_tokens = 8;
  std::shared_ptr<MemoryTensor> memory = NewMemoryTensor(shape);
  memory->tokens = 8;
  const absl::Status status = bench.runner().FillSlot(0, memory);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Describe(shape)));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(Describe(bench.runner().info().memory.shape)));
}

TEST(CpuMemoryTest, WithoutMemoryItIsUnimplemented) {
  CpuRunnerBench bench(MakeRandomModel(Shapes()[1], 3), {}, 1);
  EXPECT_EQ(bench.runner().info().memory.slots, 0);
  EXPECT_EQ(bench.runner().FillSlot(0, NewMemoryTensor({1, 1, 1, 10})).code(),
            absl::StatusCode::kUnimplemented);
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  EXPECT_EQ(bench.runner().EncodeReferences({}, &memories).code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace memory3
