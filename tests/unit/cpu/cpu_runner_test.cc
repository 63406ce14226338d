// The whole runner: against the naive decoder, and against itself under other cuts and batch mates.
#include "engine/cpu/cpu_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/cpu/cpu_runner_bench.h"
#include "tests/unit/runner/memory_scene.h"
#include "tests/unit/runner/naive_llama.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

ModelConfig Shape(int hidden, int heads, int kv_heads, int head_dim, int mlp) {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
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

// Odd head sizes, MHA, GQA 8:1, tied and untied, biases, both rope scalings.
std::vector<ModelConfig> Shapes() {
  ModelConfig mha = Shape(24, 4, 4, 6, 40);
  ModelConfig wide_group = Shape(40, 8, 1, 10, 33);
  wide_group.tied_embeddings = true;
  wide_group.qkv_bias = true;
  ModelConfig published = Shape(80, 5, 1, 80, 48);
  published.rope_scaling = RopeScaling{RopeScaling::Kind::kLinear, 4.0};
  ModelConfig all_biases = Shape(64, 4, 2, 16, 96);
  all_biases.qkv_bias = all_biases.o_bias = all_biases.mlp_bias = true;
  all_biases.rope_scaling = RopeScaling{RopeScaling::Kind::kLlama3, 8.0, 1.0, 4.0, 32};
  ModelConfig tied = Shape(32, 2, 2, 64, 64);
  tied.tied_embeddings = true;
  tied.rope_theta = 500000;
  return {mha, wide_group, published, all_biases, tied};
}

std::vector<CpuIsa> SupportedIsas() {
  std::vector<CpuIsa> isas;
  for (const CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512Bf16}) {
    if (IsSupported(isa)) isas.push_back(isa);
  }
  return isas;
}

std::vector<RunnerPiece> Whole(int sequence) { return {{sequence, 0, RunnerBench::kTokens}}; }

TEST(CpuRunnerTest, MatchesTheNaiveDecoder) {
  const uint32_t seed = std::random_device{}();
  int number = 0;
  for (const ModelConfig& config : Shapes()) {
    const RandomModel model = MakeRandomModel(config, seed + number++);
    std::vector<std::vector<double>> expected;
    for (const CpuIsa isa : SupportedIsas()) {
      for (const DType dtype : {DType::kF32, DType::kBF16}) {
        CpuRunnerOptions options;
        options.dtype = dtype;
        options.isa = isa;
        CpuRunnerBench bench(model, options, seed);
        bench.Step({{0, 0, 50}});
        bench.Step({{0, 50, 1}});
        bench.Step({{0, 51, RunnerBench::kTokens - 51}});
        if (expected.empty()) expected = NaiveLogits(model, bench.tokens(0));
        double worst = 0;
        for (int position = 0; position < RunnerBench::kTokens; ++position) {
          double difference = 0, largest = 0;
          for (int token = 0; token < config.vocab; ++token) {
            const double want = expected[position][token];
            difference = std::max(difference, std::abs(bench.logits(0, position)[token] - want));
            largest = std::max(largest, std::abs(want));
          }
          worst = std::max(worst, difference / largest);
        }
        EXPECT_LT(worst, dtype == DType::kF32 ? 1e-5 : 3e-2)
            << "shape " << number << " " << NameOf(isa) << " " << NameOf(dtype) << " seed " << seed;
      }
    }
  }
}

TEST(CpuRunnerTest, BitsDependOnTheSequenceAlone) {
  const uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  int number = 0;
  for (const ModelConfig& config : Shapes()) {
    const RandomModel model = MakeRandomModel(config, seed + number++);
    for (const CpuIsa isa : SupportedIsas()) {
      CpuRunnerOptions options;
      options.dtype = random() % 2 ? DType::kF32 : DType::kBF16;
      options.isa = isa;
      options.threads = 1;
      CpuRunnerBench alone(model, options, 1);
      for (int s = 0; s < RunnerBench::kSequences; ++s) alone.Step(Whole(s));

      options.threads = 1 + random() % 3;
      options.kv_block_tokens = random() % 2 ? 16 : 32;
      options.max_batch_rows = random() % 2 ? 256 : 100;
      CpuRunnerBench mixed(model, options, 2);
      RunInPieces(mixed, random, options.max_batch_rows);
      EXPECT_EQ(alone.all_logits(), mixed.all_logits())
          << "shape " << number << " " << NameOf(isa) << " seed " << seed;
    }
  }
}

TEST(CpuRunnerTest, SamplesWithEachSequencesOwnState) {
  const RandomModel model = MakeRandomModel(Shapes()[0], 3);
  CpuRunnerBench alone(model, {}, 1), together(model, {}, 2);
  together.Step({{2, 0, 40}, {0, 0, 1}, {3, 0, 90}});
  const StepOutput& output = together.output();
  ASSERT_EQ(output.sampled.size(), 3u);
  ASSERT_EQ(output.top_logprobs.size(), 9u);
  const RunnerPiece pieces[] = {{2, 0, 40}, {0, 0, 1}, {3, 0, 90}};
  for (int i = 0; i < 3; ++i) {
    alone.Step({pieces[i]});
    const SampledToken& expected = alone.output().sampled[0];
    EXPECT_EQ(output.sampled[i].slot, pieces[i].sequence);
    EXPECT_EQ(output.sampled[i].token, expected.token);
    EXPECT_EQ(output.sampled[i].logprob, expected.logprob);
    EXPECT_EQ(output.sampled[i].top_begin, 3 * i);
    EXPECT_EQ(output.sampled[i].top_count, 3);
    for (int k = 0; k < 3; ++k) {
      EXPECT_EQ(output.top_logprobs[3 * i + k].token, alone.output().top_logprobs[k].token);
      EXPECT_EQ(output.top_logprobs[3 * i + k].logprob, alone.output().top_logprobs[k].logprob);
    }
  }
}

TEST(CpuRunnerTest, AnErrorLeavesTheRunnerUsable) {
  const RandomModel model = MakeRandomModel(Shapes()[0], 3);
  CpuRunnerBench bench(model, {}, 1);
  Batch batch;
  StepOutput output;
  BatchSequence& sequence = batch.sequences.emplace_back();
  sequence.slot = 1;
  EXPECT_EQ(bench.runner().Run(batch, &output).code(), absl::StatusCode::kInvalidArgument);
  bench.Step(Whole(1));
  bench.runner().EndSequence(1);
  sequence.tokens = bench.tokens(1);
  EXPECT_THAT(std::string(bench.runner().Run(batch, &output).message()),
              testing::HasSubstr("not open"));
}

TEST(CpuRunnerTest, SaysWhatItIs) {
  const ModelConfig config = Shapes()[3];
  const RandomModel model = MakeRandomModel(config, 3);
  CpuRunnerOptions options;
  options.threads = 2;
  options.isa = CpuIsa::kPortable;
  CpuRunnerBench bench(model, options, 1);
  const RunnerInfo& info = bench.runner().info();
  EXPECT_EQ(info.device, "cpu, 2 threads, portable, bf16 weights");
  EXPECT_EQ(info.vocab, config.vocab);
  EXPECT_EQ(info.max_context, config.max_context);
  EXPECT_EQ(info.max_sequences, RunnerBench::kSequences);
  // The matrices, in bf16, and some padding; without the embedding of an untied model.
  const int64_t layer = config.hidden * (2 * config.q_width() + 2 * config.kv_width()) +
                        3 * config.hidden * config.mlp;
  const int64_t weights = config.layers * layer + config.vocab * config.hidden;
  EXPECT_GE(info.weight_bytes_per_step, 2 * weights);
  EXPECT_LT(info.weight_bytes_per_step, 3 * weights);
  EXPECT_GE(info.weight_bytes, info.weight_bytes_per_step + 2 * config.vocab * config.hidden);
  EXPECT_EQ(info.kv_bytes_per_token, 2 * 2 * config.layers * config.kv_width());
}

}  // namespace
}  // namespace memory3
