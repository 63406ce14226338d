// The engine on the CUDA runner, which it runs ahead of, against the engine on the CPU runner.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "engine/cpu/cpu_runner.h"
#include "engine/cuda/cuda_runner.h"
#include "engine/engine.h"
#include "tests/unit/engine/byte_tokenizer.h"
#include "tests/unit/engine/engine_harness.h"
#include "tests/unit/runner/random_model.h"

namespace memory3 {
namespace {

ModelConfig SmallConfig() {
  ModelConfig config;
  config.hidden = 32;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.mlp = 48;
  config.vocab = 260;
  config.max_context = 64;
  config.rms_norm_eps = 1e-5;
  return config;
}

// Greedy and drawn, with penalties, stops and log probabilities; more than run at once.
std::vector<GenerationRequest> RandomRequests(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < 9; ++i) {
    std::vector<int32_t> prompt(1 + random() % 30);
    for (int32_t& id : prompt) id = static_cast<int32_t>(random() % 256);
    GenerationRequest request = MakeRequest(std::move(prompt), 1 + static_cast<int>(random() % 9));
    request.sampling.temperature = i % 3 == 0 ? 0.0f : 0.8f;
    request.sampling.seed = random();
    request.sampling.repetition_penalty = i % 2 == 0 ? 1.0f : 1.3f;
    request.sampling.top_logprobs = i % 4 - 1;
    request.ignore_eos = i % 2 == 0;
    for (int32_t id = 0; i % 3 == 1 && id < 256; id += 7) request.stop_token_ids.push_back(id);
    if (request.stop_token_ids.size() > 30) request.stop_token_ids.resize(30);
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<Transcript> Answers(std::unique_ptr<Runner> runner,
                                const std::vector<GenerationRequest>& requests) {
  const ByteTokenizer tokenizer;
  auto engine = Engine::Create({.max_batch_tokens = 20}, std::move(runner), tokenizer);
  M3_CHECK(engine.ok());
  std::vector<Generation> generations;
  for (const GenerationRequest& request : requests) {
    absl::StatusOr<Generation> generation = (*engine)->Submit(request);
    M3_CHECK(generation.ok());
    generations.push_back(*std::move(generation));
  }
  std::vector<Transcript> answers;
  for (const Generation& generation : generations) answers.push_back(ReadAll(*generation.stream));
  EXPECT_TRUE((*engine)->AwaitIdle(absl::InfiniteDuration()));
  return answers;
}

TEST(CudaEngineTest, SaysWhatTheEngineOnTheCpuSays) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const RandomModel model = MakeRandomModel(SmallConfig(), seed);
  CpuRunnerOptions cpu_options;
  cpu_options.dtype = DType::kF32;
  cpu_options.max_sequences = 4;
  auto cpu = CreateCpuRunner(model.config, model.weights, cpu_options);
  ASSERT_TRUE(cpu.ok()) << cpu.status();
  ASSERT_FALSE((*cpu)->info().runs_ahead);
  CudaRunnerOptions options;
  options.dtype = DType::kF32;
  options.max_sequences = 4;
  options.max_batch_rows = 20;
  auto cuda = CreateCudaRunner(model.config, model.weights, options);
  ASSERT_TRUE(cuda.ok()) << cuda.status();
  ASSERT_TRUE((*cuda)->info().runs_ahead);
  const std::vector<GenerationRequest> requests = RandomRequests(seed);
  const std::vector<Transcript> expected = Answers(*std::move(cpu), requests);
  const std::vector<Transcript> got = Answers(*std::move(cuda), requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "request " << i);
    ASSERT_TRUE(got[i].last.status.ok()) << got[i].last.status;
    EXPECT_EQ(got[i].last.finish, expected[i].last.finish);
    EXPECT_EQ(got[i].text, expected[i].text);
    ASSERT_EQ(got[i].ids(), expected[i].ids());
    for (size_t t = 0; t < got[i].tokens.size(); ++t) {
      EXPECT_NEAR(got[i].tokens[t].logprob, expected[i].tokens[t].logprob, 1e-3);
      EXPECT_EQ(got[i].tokens[t].top.size(), expected[i].tokens[t].top.size());
    }
  }
}

}  // namespace
}  // namespace memory3
