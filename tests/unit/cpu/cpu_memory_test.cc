// Explicit memory in the whole runner: what decides a sequence's bits and what must not. What the
// numbers are is compared with the reference implementation in tests/parity.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/cpu/cpu_runner_bench.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int kReferences = 6;
constexpr int kChunkTokens = 13;
constexpr int kChunks = (RunnerBench::kTokens + kChunkTokens - 1) / kChunkTokens;
constexpr int kSlots = 12;

ModelConfig Shape(int heads, int kv_heads, int head_dim) {
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

std::vector<ModelConfig> Shapes() { return {Shape(3, 3, 6), Shape(8, 1, 10), Shape(6, 2, 16)}; }

std::vector<CpuIsa> SupportedIsas() {
  std::vector<CpuIsa> isas;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16}) {
    if (IsSupported(isa)) isas.push_back(isa);
  }
  return isas;
}

CpuRunnerOptions Options() {
  CpuRunnerOptions options;
  RunnerMemoryOptions& memory = options.memory.emplace();
  memory.config.layers = {0, 2};
  memory.config.reference_tokens = 40;
  memory.config.kept_tokens = 5;
  memory.config.memories_per_chunk = 4;
  memory.config.chunk_tokens = kChunkTokens;
  memory.prefix_ids = {1, 17, 30};
  memory.slots = kSlots;
  return options;
}

std::vector<std::vector<int32_t>> RandomReferences(std::mt19937& random) {
  std::vector<std::vector<int32_t>> references;
  for (int i = 0; i < kReferences; ++i) {
    // The second one is shorter than what a memory keeps.
    references.emplace_back(i == 1 ? 3 : 1 + random() % 40);
    for (int32_t& token : references.back()) token = static_cast<int32_t>(random() % 101);
  }
  return references;
}

std::vector<std::shared_ptr<const MemoryTensor>> Encode(
    Runner& runner, const std::vector<std::vector<int32_t>>& references) {
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  const std::vector<absl::Span<const int32_t>> spans(references.begin(), references.end());
  const absl::Status status = runner.EncodeReferences(spans, &memories);
  EXPECT_TRUE(status.ok()) << status;
  return memories;
}

std::vector<std::vector<int>> RandomSets(std::mt19937& random) {
  std::vector<std::vector<int>> sets(kChunks);
  for (std::vector<int>& set : sets) {
    for (int reference = 0; reference < kReferences; ++reference) set.push_back(reference);
    std::shuffle(set.begin(), set.end(), random);
    set.resize(random() % 5);  // none to all four
  }
  return sets;
}

// Slots of the memories of `sets` when reference r lies in slot_of[r].
std::vector<std::vector<MemorySlot>> InSlots(const std::vector<std::vector<int>>& sets,
                                             const std::vector<MemorySlot>& slot_of) {
  std::vector<std::vector<MemorySlot>> slots;
  for (const std::vector<int>& set : sets) {
    slots.emplace_back();
    for (const int reference : set) slots.back().push_back(slot_of[reference]);
  }
  return slots;
}

struct Scene {
  explicit Scene(std::mt19937& random) : references(RandomReferences(random)) {
    // The last sequence is a plain decoder.
    for (int s = 0; s + 1 < RunnerBench::kSequences; ++s) sets.push_back(RandomSets(random));
  }
  // Encodes the references, as many at once as `batch`, and shows them to the sequences.
  void SetUp(RunnerBench& bench, size_t batch, const std::vector<MemorySlot>& slot_of) const {
    for (size_t begin = 0; begin < references.size(); begin += batch) {
      const size_t end = std::min(begin + batch, references.size());
      const auto memories = Encode(bench.runner(), std::vector<std::vector<int32_t>>(
                                                       &references[begin], &references[0] + end));
      for (size_t i = begin; i < end; ++i) {
        EXPECT_TRUE(bench.runner().FillSlot(slot_of[i], memories[i - begin]).ok());
      }
    }
    for (size_t s = 0; s < sets.size(); ++s) bench.UseMemory(s, InSlots(sets[s], slot_of));
  }

  std::vector<std::vector<int32_t>> references;
  std::vector<std::vector<std::vector<int>>> sets;  // (sequence, chunk)
};

void RunInPieces(RunnerBench& bench, std::mt19937& random) {
  int done[RunnerBench::kSequences] = {};
  while (*std::min_element(std::begin(done), std::end(done)) < RunnerBench::kTokens) {
    std::vector<RunnerPiece> pieces;
    for (int s = 0; s < RunnerBench::kSequences; ++s) {
      const int left = RunnerBench::kTokens - done[s];
      if (left == 0 || random() % 3 == 0) continue;
      const int count = random() % 2 ? 1 : 1 + static_cast<int>(random() % left);
      pieces.push_back({s, done[s], count});
      done[s] += count;
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    if (!pieces.empty()) bench.Step(pieces);
  }
}

TEST(CpuMemoryTest, BitsDependOnTheSequenceAndItsMemoriesAlone) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const ModelConfig& config : Shapes()) {
    const RandomModel model = MakeRandomModel(config, seed);
    const Scene scene(random);
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
      RunInPieces(mixed, random);
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
      std::vector<std::vector<int32_t>> references = RandomReferences(random);
      const auto together = Encode(bench.runner(), references);
      ASSERT_EQ(together.size(), references.size());
      bench.Step({{0, 0, 50}});  // must leave nothing behind
      for (size_t i = 0; i < references.size(); ++i) {
        const auto alone = Encode(bench.runner(), {references[i]});
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
  const auto references = RandomReferences(random);
  const auto run = [&](const std::vector<std::vector<MemorySlot>>& sets) {
    CpuRunnerBench bench(model, Options(), 1);
    const auto memories = Encode(bench.runner(), references);
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
  EXPECT_TRUE(Encode(bench.runner(), {}).empty());
  EXPECT_EQ(Encode(bench.runner(), std::vector<std::vector<int32_t>>(most, {5})).size(),
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
