// The whole runner, kernels on the host or, in a CUDA build, on a device: against the CPU runner,
// and against itself under other cuts and batch mates. On the host every case runs with streams
// that work at once or as late as they may.
#include "engine/cuda/cuda_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/cuda/host/executor.h"
#include "tests/unit/cpu/cpu_runner_bench.h"
#include "tests/unit/cuda/cuda_runner_bench.h"
#include "tests/unit/runner/memory_scene.h"

namespace memory3 {
namespace {

using cuda::host::SetStreamOrder;
using cuda::host::StreamOrder;

ModelConfig Shape(int hidden, int heads, int kv_heads, int head_dim, int mlp) {
  ModelConfig config;
  config.hidden = hidden;
  config.layers = 2;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = head_dim;
  config.mlp = mlp;
  config.vocab = 101;
  config.max_context = 128;
  config.rms_norm_eps = 1e-5;
  return config;
}

// MHA and GQA, tied and untied, biases; the last one's widths are not what vector loads like.
std::vector<ModelConfig> Shapes() {
  ModelConfig tied = Shape(24, 4, 4, 6, 40);
  tied.tied_embeddings = true;
  ModelConfig published = Shape(80, 5, 1, 80, 48);
  published.rope_scaling = RopeScaling{RopeScaling::Kind::kLinear, 4.0};
  ModelConfig biases = Shape(64, 4, 2, 16, 96);
  biases.qkv_bias = biases.o_bias = biases.mlp_bias = true;
  ModelConfig odd = Shape(20, 3, 1, 10, 33);
  odd.qkv_bias = odd.mlp_bias = true;
  return {tied, published, biases, odd};
}

CudaRunnerOptions Options(DType dtype) {
  CudaRunnerOptions options;
  options.dtype = dtype;
  options.max_batch_rows = 100;
  options.graphs = false;  // every row's logits come back, which no graph does
  return options;
}

CudaRunnerOptions MemoryOptions(DType dtype) {
  CudaRunnerOptions options = Options(dtype);
  options.memory = MemorySceneOptions();
  options.memory->dtype = dtype;
  return options;
}

class CudaRunnerTest : public testing::Test {
 protected:
  CudaRunnerTest() : seed_(std::random_device{}()), random_(seed_) {}
  ~CudaRunnerTest() override { SetStreamOrder(StreamOrder::kEager); }

  const uint32_t seed_;
  std::mt19937 random_;
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

// Largest difference of two sets of logits, divided by the largest of them.
double Error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (!(d <= difference)) difference = d;
    largest = std::max<double>(largest, std::abs(b[i]));
  }
  return difference / largest;
}

constexpr double kF32Tolerance = 2e-5;

void ExpectEqualTokens(const StepOutput& a, const StepOutput& b) {
  ASSERT_EQ(a.sampled.size(), b.sampled.size());
  ASSERT_EQ(a.top_logprobs.size(), b.top_logprobs.size());
  for (size_t i = 0; i < a.sampled.size(); ++i) {
    EXPECT_EQ(a.sampled[i].slot, b.sampled[i].slot);
    EXPECT_EQ(a.sampled[i].token, b.sampled[i].token);
    EXPECT_NEAR(a.sampled[i].logprob, b.sampled[i].logprob, 1e-3);
    EXPECT_EQ(a.sampled[i].top_begin, b.sampled[i].top_begin);
    EXPECT_EQ(a.sampled[i].top_count, b.sampled[i].top_count);
  }
  for (size_t i = 0; i < a.top_logprobs.size(); ++i) {
    EXPECT_EQ(a.top_logprobs[i].token, b.top_logprobs[i].token);
    EXPECT_NEAR(a.top_logprobs[i].logprob, b.top_logprobs[i].logprob, 1e-3);
  }
}

TEST_F(CudaRunnerTest, ComputesWhatTheCpuRunnerDoes) {
  const std::vector<RunnerPiece> steps[] = {
      {{0, 0, 18}}, {{1, 0, 4}, {0, 18, 1}}, {{2, 0, 1}, {0, 19, 7}, {1, 4, 1}}};
  StreamOrder order = StreamOrder::kEager;
  for (const ModelConfig& config : Shapes()) {
    const RandomModel model = MakeRandomModel(config, seed_);
    CpuRunnerOptions cpu_options;
    cpu_options.dtype = DType::kF32;
    CpuRunnerBench cpu(model, cpu_options, 1);
    order = order == StreamOrder::kEager ? StreamOrder::kLazy : StreamOrder::kEager;
    SetStreamOrder(order);
    CudaRunnerBench f32(model, Options(DType::kF32), 2);
    CudaRunnerBench bf16(model, Options(DType::kBF16), 3);
    for (const auto& pieces : steps) {
      cpu.Step(pieces);
      f32.Step(pieces);
      bf16.Step(pieces);
      ExpectEqualTokens(f32.output(), cpu.output());
    }
    EXPECT_LT(Error(f32.all_logits(), cpu.all_logits()), kF32Tolerance)
        << "hidden " << config.hidden;
    EXPECT_LT(Error(bf16.all_logits(), cpu.all_logits()), 5e-2) << "hidden " << config.hidden;
  }
}

TEST_F(CudaRunnerTest, EncodesAndAttendsToMemoriesAsTheCpuRunnerDoes) {
  const MemoryScene scene(random_);
  for (const StreamOrder order : {StreamOrder::kEager, StreamOrder::kLazy}) {
    SetStreamOrder(order);
    ModelConfig config = MemorySceneConfig(6, 2, 16);
    config.qkv_bias = order == StreamOrder::kEager;
    const RandomModel model = MakeRandomModel(config, seed_);
    CudaRunnerOptions options = MemoryOptions(DType::kF32);
    if (order == StreamOrder::kLazy) {
      options.memory->config.selection = TokenSelection::kExpSum;
    }
    CpuRunnerOptions cpu_options;
    cpu_options.dtype = DType::kF32;
    cpu_options.memory = options.memory;
    CpuRunnerBench cpu(model, cpu_options, 1);
    CudaRunnerBench bench(model, options, 2);
    const auto expected = EncodeAll(cpu.runner(), scene.references);
    const auto got = EncodeAll(bench.runner(), scene.references);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(got[i]->tokens, expected[i]->tokens);
      EXPECT_EQ(got[i]->kept, expected[i]->kept) << "reference " << i;
    }
    scene.SetUp(cpu, 6, {0, 1, 2, 3, 4, 5});
    // Slots that held other memories before.
    scene.SetUp(bench, 6, {3, 4, 5, 6, 7, 8});
    scene.SetUp(bench, 3, {11, 4, 8, 3, 0, 7});
    const std::vector<RunnerPiece> steps[] = {
        {{0, 0, 30}, {3, 0, 5}}, {{1, 0, 14}, {0, 30, 1}}, {{0, 31, 1}, {3, 5, 1}, {1, 14, 1}}};
    for (const auto& pieces : steps) {
      cpu.Step(pieces);
      bench.Step(pieces);
      ExpectEqualTokens(bench.output(), cpu.output());
    }
    EXPECT_LT(Error(bench.all_logits(), cpu.all_logits()), kF32Tolerance);
  }
}

TEST_F(CudaRunnerTest, BatchInvariantBitsDependOnTheSequenceAlone) {
  SetStreamOrder(random_() % 2 ? StreamOrder::kEager : StreamOrder::kLazy);
  const RandomModel model = MakeRandomModel(MemorySceneConfig(8, 1, 10), seed_);
  const MemoryScene scene(random_);
  CudaRunnerOptions options = MemoryOptions(random_() % 2 ? DType::kF32 : DType::kBF16);
  options.batch_invariant = true;
  CudaRunnerBench alone(model, options, 1);
  scene.SetUp(alone, 1, {0, 1, 2, 3, 4, 5});
  constexpr int kTokens = 25;
  for (int s = 0; s < RunnerBench::kSequences; ++s) alone.Step({{s, 0, kTokens}});
  options.kv_block_tokens = 32;
  options.max_batch_rows = 200;
  CudaRunnerBench mixed(model, options, 2);
  scene.SetUp(mixed, 6, {3, 4, 5, 6, 7, 8});
  RunInPieces(mixed, random_, options.max_batch_rows, kTokens);
  EXPECT_EQ(alone.all_logits(), mixed.all_logits()) << NameOf(options.dtype);
}

TEST_F(CudaRunnerTest, AMemorysBitsDoNotDependOnItsBatch) {
  for (const bool invariant : {false, true}) {
    CudaRunnerOptions options = MemoryOptions(DType::kBF16);
    options.batch_invariant = invariant;
    CudaRunnerBench bench(MakeRandomModel(MemorySceneConfig(8, 1, 10), seed_), options, 1);
    const auto references = MemoryScene(random_).references;
    const auto together = EncodeAll(bench.runner(), references);
    for (size_t i = 0; i < references.size(); ++i) {
      const auto alone = EncodeAll(bench.runner(), {references[i]});
      ASSERT_EQ(alone.size(), 1u);
      EXPECT_EQ(alone[0]->bytes, together[i]->bytes) << "reference " << i;
      EXPECT_EQ(alone[0]->kept, together[i]->kept);
      EXPECT_EQ(alone[0]->shape, bench.runner().info().memory.shape);
    }
  }
}

// Sequences with prompts of known length, then greedy tokens: decode steps as the engine has them.
class Decoding {
 public:
  Decoding(Runner& runner, int sequences, int seed) : runner_(runner), random_(seed) {
    for (int s = 0; s < sequences; ++s) {
      tokens_.emplace_back(3 + random_() % 9);
      for (int32_t& token : tokens_.back()) token = static_cast<int32_t>(random_() % 101);
      for (int b = 0; b < 4; ++b) blocks_.push_back(4 * s + b);
      done_.push_back(0);
      SamplingParams params;
      params.temperature = s % 2 == 0 ? 0.0f : 0.7f;
      params.seed = s;
      params.top_logprobs = s - 2;  // -1: none, 0: of the token alone
      runner_.BeginSequence(s, params, tokens_.back());
    }
  }
  // One step of `sequences`: the prompt of those that have not begun, one token of the others.
  void Step(const std::vector<int>& sequences) {
    const absl::Status status = runner_.Run(NextBatch(sequences), &output_);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(output_.sampled.size(), sequences.size());
    Collect();
  }
  // The same in two halves.
  void Start(const std::vector<int>& sequences) {
    const absl::Status status = runner_.StartStep(NextBatch(sequences));
    ASSERT_TRUE(status.ok()) << status;
  }
  void Finish() {
    const absl::Status status = runner_.FinishStep(&output_);
    ASSERT_TRUE(status.ok()) << status;
    Collect();
  }
  const std::vector<std::vector<int32_t>>& tokens() const { return tokens_; }
  // Of all steps, in their order.
  const std::vector<float>& logprobs() const { return logprobs_; }

 private:
  Batch NextBatch(const std::vector<int>& sequences) {
    Batch batch;
    for (const int s : sequences) {
      const bool is_known = done_[s] < static_cast<int>(tokens_[s].size());
      const auto rest = is_known ? absl::MakeConstSpan(tokens_[s]).subspan(done_[s])
                                 : absl::MakeConstSpan(&kSampledToken, 1);
      batch.sequences.push_back({.slot = s,
                                 .tokens = rest,
                                 .first_position = done_[s],
                                 .block_table = absl::MakeConstSpan(blocks_).subspan(4 * s, 4),
                                 .sample = true});
      done_[s] += static_cast<int>(rest.size());
    }
    return batch;
  }
  void Collect() {
    for (const SampledToken& sampled : output_.sampled) {
      tokens_[sampled.slot].push_back(sampled.token);
      logprobs_.push_back(sampled.logprob);
      for (int i = 0; i < sampled.top_count; ++i) {
        logprobs_.push_back(output_.top_logprobs[sampled.top_begin + i].logprob);
      }
    }
  }

  Runner& runner_;
  std::mt19937 random_;
  std::vector<std::vector<int32_t>> tokens_;
  std::vector<KvBlockId> blocks_;
  std::vector<int> done_;  // rows
  std::vector<float> logprobs_;
  StepOutput output_;
};

const std::vector<std::vector<int>>& DecodingSteps() {
  static const auto* const steps = new std::vector<std::vector<int>>{
      {0},       {0, 1}, {3, 0, 1}, {2, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4},
      {4, 2, 3}, {1}};
  return *steps;
}

std::unique_ptr<Runner> Make(const RandomModel& model, CudaRunnerOptions options) {
  options.max_sequences = 5;
  auto runner = CreateCudaRunner(model.config, model.weights, options);
  EXPECT_TRUE(runner.ok()) << runner.status();
  return *std::move(runner);
}

TEST_F(CudaRunnerTest, GraphsAndOverlapChangeNothingAndNothingIsAllocatedAfterTheStart) {
  SetStreamOrder(random_() % 2 ? StreamOrder::kEager : StreamOrder::kLazy);
  const RandomModel model = MakeRandomModel(Shapes()[2], seed_);
  std::vector<std::vector<std::vector<int32_t>>> results;
  for (const auto& [graphs, overlap] : {std::pair(true, true), {false, true}, {true, false}}) {
    CudaRunnerOptions options = Options(DType::kF32);
    options.graphs = graphs;
    options.overlap = overlap;
    const std::unique_ptr<Runner> runner = Make(model, options);
    const int64_t before = cuda::host::BufferAllocations();
    Decoding decoding(*runner, 5, 7);
    for (const std::vector<int>& sequences : DecodingSteps()) decoding.Step(sequences);
    results.push_back(decoding.tokens());
    EXPECT_EQ(cuda::host::BufferAllocations(), before);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

// Each step is started before the result of the one before is there, and slots go to others before
// their last result is.
TEST_F(CudaRunnerTest, StepsStartedAheadChangeNothing) {
  const RandomModel model = MakeRandomModel(Shapes()[2], seed_);
  for (const StreamOrder order : {StreamOrder::kEager, StreamOrder::kLazy}) {
    SetStreamOrder(order);
    CudaRunnerOptions options = Options(DType::kF32);
    options.graphs = order == StreamOrder::kLazy;
    const std::unique_ptr<Runner> runner = Make(model, options);
    EXPECT_TRUE(runner->info().runs_ahead);
    Decoding expected(*runner, 5, 7);
    for (const std::vector<int>& sequences : DecodingSteps()) expected.Step(sequences);
    for (int slot = 0; slot < 5; ++slot) runner->EndSequence(slot);

    const int64_t before = cuda::host::BufferAllocations();
    Decoding ahead(*runner, 5, 7);
    for (const std::vector<int>& sequences : DecodingSteps()) {
      ahead.Start(sequences);
      if (&sequences != &DecodingSteps().front()) ahead.Finish();
    }
    for (int slot = 0; slot < 5; ++slot) runner->EndSequence(slot);
    Decoding next(*runner, 5, 8);
    next.Start({4, 1});
    ahead.Finish();
    next.Finish();
    EXPECT_EQ(ahead.tokens(), expected.tokens());
    EXPECT_EQ(ahead.logprobs(), expected.logprobs());
    EXPECT_EQ(cuda::host::BufferAllocations(), before);
  }
}

TEST_F(CudaRunnerTest, DecodeKernelsStartInTheShadowOfTheOneBefore) {
  const RandomModel model = MakeRandomModel(Shapes()[2], 3);
  const std::unique_ptr<Runner> runner = Make(model, Options(DType::kBF16));
  Decoding decoding(*runner, 1, 7);
  decoding.Step({0});
  const int64_t before = cuda::host::OverlappingLaunches();
  if (before == cuda::host::kNotCounted) GTEST_SKIP() << "launches are not counted here";
  decoding.Step({0});
  // Of each layer: two norms, four products, rotation and attention; then the last norm and
  // product.
  EXPECT_EQ(cuda::host::OverlappingLaunches() - before, model.config.layers * 8 + 2);
}

TEST_F(CudaRunnerTest, AnErrorLeavesItUsable) {
  const RandomModel model = MakeRandomModel(Shapes()[0], 3);
  const std::unique_ptr<Runner> runner = Make(model, Options(DType::kBF16));
  Decoding decoding(*runner, 1, 7);
  Batch batch;
  StepOutput output;
  batch.sequences.emplace_back().slot = 1;
  const absl::Status status = runner->Run(batch, &output);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("not open"));
  decoding.Step({0});
  // What a step that is started cannot do.
  EXPECT_EQ(runner->StartStep(Batch()).code(), absl::StatusCode::kInvalidArgument);
  const std::vector<int32_t> tokens = {1}, rows = {0}, blocks = {0};
  batch.sequences[0] = {.tokens = tokens, .block_table = blocks, .logit_rows = rows};
  EXPECT_EQ(runner->StartStep(batch).code(), absl::StatusCode::kInvalidArgument);
  decoding.Start({0});
  decoding.Finish();
  EXPECT_EQ(runner->FillSlot(0, nullptr).code(), absl::StatusCode::kUnimplemented);
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  EXPECT_EQ(runner->EncodeReferences({}, &memories).code(), absl::StatusCode::kUnimplemented);
}

TEST_F(CudaRunnerTest, SaysWhatItIs) {
  const ModelConfig config = MemorySceneConfig(8, 1, 10);
  const RandomModel model = MakeRandomModel(config, 3);
  CudaRunnerOptions options = MemoryOptions(DType::kBF16);
  options.batch_invariant = true;
  const std::unique_ptr<Runner> runner = Make(model, options);
  const RunnerInfo& info = runner->info();
  EXPECT_THAT(info.device, testing::MatchesRegex("cuda, .+, bf16 weights, batch-invariant"));
  EXPECT_THAT(info.memory_plan, testing::HasSubstr("KV cache"));
  EXPECT_EQ(info.vocab, config.vocab);
  EXPECT_EQ(info.max_sequences, 5);
  EXPECT_EQ(info.kv_blocks, 5 * 10);
  EXPECT_EQ(info.kv_bytes_per_token, 2 * 2 * config.layers * config.kv_width());
  const int64_t layer = config.hidden * (2 * config.q_width() + 2 * config.kv_width()) +
                        3 * config.hidden * config.mlp;
  EXPECT_EQ(info.weight_bytes_per_step, 2 * (config.layers * layer + config.vocab * config.hidden));
  EXPECT_EQ(info.memory.position_offset, 43);
  EXPECT_EQ(info.memory.slots, MemoryScene::kSlots);
  // References that cannot be encoded, and memories of another shape.
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  EXPECT_EQ(runner->EncodeReferences({absl::Span<const int32_t>()}, &memories).code(),
            absl::StatusCode::kInvalidArgument);
  MemoryShape shape = info.memory.shape;
  shape.kept_tokens = 8;
  EXPECT_EQ(runner->FillSlot(0, NewMemoryTensor(shape)).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace memory3
