// What the scheduler does never changes an answer: not the cut of a prompt, not the batch mates,
// not the order of arrival, not who is cancelled meanwhile.
#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

constexpr int32_t kEos = ByteTokenizer::kEos;

std::vector<GenerationRequest> RandomRequests(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < count; ++i) {
    std::vector<int32_t> prompt(1 + random() % 40);
    for (int32_t& id : prompt) id = static_cast<int32_t>(random() % 260);
    GenerationRequest request = MakeRequest(prompt, 1 + static_cast<int>(random() % 24));
    request.sampling.seed = random();
    request.sampling.top_logprobs = static_cast<int>(random() % 4) - 1;
    request.sampling.min_tokens = static_cast<int>(random() % 2);
    request.ignore_eos = random() % 2 == 0;
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<std::pair<int32_t, float>> Tokens(const Transcript& said) {
  std::vector<std::pair<int32_t, float>> tokens;
  for (const TokenInfo& token : said.tokens) {
    tokens.emplace_back(token.id, token.logprob);
    for (const auto& top : token.top) tokens.emplace_back(top.id, top.logprob);
  }
  return tokens;
}

TEST(EngineDeterminismTest, AChunkedPromptGivesTheSameAnswer) {
  const std::vector<GenerationRequest> requests = RandomRequests(16, 11);
  EngineHarness whole(SmallRunnerInfo(), {.max_batch_tokens = 64});
  EngineHarness pieces(SmallRunnerInfo(), {.max_batch_tokens = 3});
  whole.Start();
  pieces.Start();
  for (const GenerationRequest& request : requests) {
    const Transcript one = ReadAll(*whole.Submit(request).stream);
    const Transcript other = ReadAll(*pieces.Submit(request).stream);
    EXPECT_EQ(one.text, other.text);
    EXPECT_EQ(Tokens(one), Tokens(other));
  }
  EXPECT_THAT(whole.runner->violations(), testing::IsEmpty());
  EXPECT_THAT(pieces.runner->violations(), testing::IsEmpty());
}

TEST(EngineDeterminismTest, AloneAndTogetherWithCancellationsBetween) {
  constexpr int kRequests = 32;
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const std::vector<GenerationRequest> requests = RandomRequests(kRequests, seed);
    std::vector<Transcript> alone;
    {
      EngineHarness harness(SmallRunnerInfo(), {.max_batch_tokens = 64, .eos_tokens = {kEos}});
      harness.Start();
      for (const GenerationRequest& request : requests) {
        alone.push_back(ReadAll(*harness.Submit(request).stream));
      }
    }
    EngineHarness harness(SmallRunnerInfo(), {.max_batch_tokens = 7, .eos_tokens = {kEos}});
    harness.Start();
    std::mt19937 random(seed);
    std::vector<int> order(kRequests);
    for (int i = 0; i < kRequests; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    std::vector<Generation> together(kRequests);
    std::vector<Generation> disturbers;
    for (const int i : order) {
      together[i] = harness.Submit(requests[i]);
      disturbers.push_back(harness.Submit(requests[random() % kRequests]));
      if (random() % 3 == 0) std::this_thread::yield();
      harness.engine->Cancel(disturbers[random() % disturbers.size()].id);
    }
    for (int i = 0; i < kRequests; ++i) {
      const Transcript said = ReadAll(*together[i].stream);
      EXPECT_EQ(said.text, alone[i].text);
      EXPECT_EQ(said.last.finish, alone[i].last.finish);
      EXPECT_EQ(Tokens(said), Tokens(alone[i]));
    }
    EXPECT_TRUE(harness.engine->AwaitIdle(absl::InfiniteDuration()));
    EXPECT_TRUE(harness.AllFree());
    EXPECT_THAT(harness.runner->violations(), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace memory3
