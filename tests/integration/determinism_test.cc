// The promise of the contract, with the real runner: an answer is the same to the bit whether its
// request runs alone or among others that come, go and are cancelled, however its prompt is cut.
#include <algorithm>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/cpu_engine.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

constexpr int kRequests = 32;

// Every kind of sampling, with different lengths and ends.
GenerationRequest RandomRequest(std::mt19937& random, const SynthShape& shape) {
  const auto below = [&random](int end) { return static_cast<int>(random() % end); };
  const auto unit = [&random] { return static_cast<float>(random() % 1000) / 1000.0f; };
  GenerationRequest request;
  request.prompt.resize(1 + below(70));
  for (int32_t& id : request.prompt) id = below(shape.vocab);
  request.max_tokens = 1 + below(40);
  SamplingParams& sampling = request.sampling;
  sampling.temperature = below(3) == 0 ? 0.0f : 0.3f + unit();
  sampling.top_k = below(2) * below(50);
  sampling.top_p = 1.0f - 0.5f * below(2) * unit();
  sampling.min_p = 0.2f * below(2) * unit();
  sampling.repetition_penalty = 1.0f + 0.3f * below(2) * unit();
  sampling.presence_penalty = below(2) * (unit() - 0.5f);
  sampling.frequency_penalty = below(2) * (unit() - 0.5f);
  if (below(3) == 0) sampling.logit_bias = {{below(100), 2.0f}, {100 + below(100), -5.0f}};
  sampling.seed = random();
  sampling.min_tokens = below(2);
  sampling.top_logprobs = below(7) - 1;
  request.ignore_eos = below(2) == 0;
  if (below(3) == 0) request.stop_token_ids = {below(shape.vocab), below(shape.vocab)};
  if (below(3) == 0) request.stop = {"e", "zz"};
  return request;
}

// Tokens and log probabilities, to compare bit for bit.
std::vector<std::pair<int32_t, float>> TokensOf(const Transcript& said) {
  std::vector<std::pair<int32_t, float>> tokens;
  for (const TokenInfo& token : said.tokens) {
    tokens.emplace_back(token.id, token.logprob);
    for (const TokenInfo::Alternative& top : token.top) tokens.emplace_back(top.id, top.logprob);
  }
  return tokens;
}

class DeterminismTest : public testing::TestWithParam<DType> {
 protected:
  std::unique_ptr<Engine> MakeEngine(int max_batch_tokens, int max_sequences) {
    absl::StatusOr<std::unique_ptr<Engine>> engine = CreateCpuEngine(
        shape_,
        {.dtype = GetParam(), .threads = 2, .max_sequences = max_sequences, .max_batch_rows = 128},
        {.max_batch_tokens = max_batch_tokens}, tokenizer_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  static Transcript Run(Engine& engine, const GenerationRequest& request) {
    const absl::StatusOr<Generation> generation = engine.Submit(request);
    EXPECT_TRUE(generation.ok()) << generation.status();
    return ReadAll(*generation->stream);
  }

  const SynthShape shape_ = ByteShape();
  const ByteTokenizer tokenizer_;
};

TEST_P(DeterminismTest, AloneAndTogetherInRandomOrderWithCancellations) {
  const std::unique_ptr<Engine> alone = MakeEngine(128, 4);
  // Small steps, so that prompts are cut often and sequences wait for each other.
  const std::unique_ptr<Engine> together = MakeEngine(24, 16);
  ASSERT_TRUE(alone != nullptr && together != nullptr);
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<GenerationRequest> requests;
    std::vector<Transcript> expected;
    for (int i = 0; i < kRequests; ++i) {
      requests.push_back(RandomRequest(random, shape_));
      expected.push_back(Run(*alone, requests.back()));
    }
    size_t tokens = 0;
    for (const Transcript& said : expected) tokens += said.tokens.size();
    ASSERT_GT(tokens, 5u * kRequests) << "the answers are too short to show anything";
    std::vector<int> order(kRequests);
    for (int i = 0; i < kRequests; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);

    std::vector<Generation> generations(kRequests);
    std::vector<RequestId> disturbers;
    for (const int i : order) {
      const absl::StatusOr<Generation> disturber = together->Submit(RandomRequest(random, shape_));
      ASSERT_TRUE(disturber.ok()) << disturber.status();
      disturbers.push_back(disturber->id);
      absl::StatusOr<Generation> generation = together->Submit(requests[i]);
      ASSERT_TRUE(generation.ok()) << generation.status();
      generations[i] = *std::move(generation);
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
      together->Cancel(disturbers[random() % disturbers.size()]);
    }
    for (int i = 0; i < kRequests; ++i) {
      const Transcript said = ReadAll(*generations[i].stream);
      ASSERT_TRUE(said.last.status.ok()) << said.last.status;
      EXPECT_EQ(said.text, expected[i].text) << "request " << i;
      EXPECT_EQ(said.last.finish, expected[i].last.finish) << "request " << i;
      EXPECT_EQ(said.last.stop_match, expected[i].last.stop_match) << "request " << i;
      EXPECT_EQ(TokensOf(said), TokensOf(expected[i])) << "request " << i;
    }
    EXPECT_TRUE(together->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_EQ(together->Snapshot().kv_blocks_used, 0);
  }
}

TEST_P(DeterminismTest, HoweverThePromptIsCut) {
  const std::unique_ptr<Engine> whole = MakeEngine(128, 4);
  ASSERT_NE(whole, nullptr);
  std::mt19937 random(99);
  std::vector<GenerationRequest> requests;
  std::vector<Transcript> expected;
  for (int i = 0; i < 8; ++i) {
    requests.push_back(RandomRequest(random, shape_));
    expected.push_back(Run(*whole, requests.back()));
  }
  for (const int rows : {1, 3, 16, 17}) {
    const std::unique_ptr<Engine> pieces = MakeEngine(rows, 4);
    ASSERT_NE(pieces, nullptr);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(TokensOf(Run(*pieces, requests[i])), TokensOf(expected[i]))
          << "request " << i << ", " << rows << " rows per step";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, DeterminismTest, testing::Values(DType::kBF16, DType::kF32),
                         [](const auto& test) {
                           return test.param == DType::kBF16 ? "bf16" : "f32";
                         });

}  // namespace
}  // namespace memory3
