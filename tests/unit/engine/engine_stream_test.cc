// What a stream says when the answer comes to its end: text, tokens, reasons, usage.
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/engine/engine_harness.h"

namespace memory3 {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

constexpr int32_t kWord = ByteTokenizer::kFirstWord;
constexpr int32_t kEos = ByteTokenizer::kEos;
const std::vector<int32_t> kPrompt = {'p', 'q'};

class EngineStreamTest : public testing::Test {
 protected:
  // The model says `answer` to kPrompt.
  void StartWith(std::vector<int32_t> answer) {
    harness_.runner->scripts[kPrompt] = std::move(answer);
    harness_.Start();
  }
  Transcript Run(GenerationRequest request) {
    Generation generation = harness_.Submit(std::move(request));
    Transcript said = ReadAll(*generation.stream);
    EXPECT_THAT(harness_.runner->violations(), testing::IsEmpty());
    EXPECT_TRUE(said.last.usage.has_value());
    EXPECT_EQ(said.last.usage->completion_tokens, static_cast<int>(said.tokens.size()));
    return said;
  }

  EngineHarness harness_{SmallRunnerInfo(),
                         {.eos_tokens = {kEos}},
                         /*gated=*/false,
                         nullptr,
                         {"Hel", "lo\n", "User:"}};
};

TEST_F(EngineStreamTest, EndsAtMaxTokens) {
  StartWith({'a', 'b', 'c', 'd', 'e'});
  const Transcript said = Run(MakeRequest(kPrompt, 3));
  EXPECT_EQ(said.text, "abc");
  EXPECT_THAT(said.ids(), ElementsAre('a', 'b', 'c'));
  EXPECT_EQ(said.tokens[1].bytes, "b");
  EXPECT_EQ(said.last.finish, FinishReason::kLength);
  EXPECT_FALSE(said.last.stop_match.has_value());
  EXPECT_EQ(said.last.usage->prompt_tokens, 2);
}

TEST_F(EngineStreamTest, EndsAtTheEndOfTextTokenWhichCountsButIsNoText) {
  StartWith({'a', kEos, 'b'});
  const Transcript said = Run(MakeRequest(kPrompt, 10));
  EXPECT_EQ(said.text, "a");
  EXPECT_THAT(said.ids(), ElementsAre('a', kEos));
  EXPECT_EQ(said.last.finish, FinishReason::kStop);
}

TEST_F(EngineStreamTest, GoesOnPastTheEndOfTextTokenWhenAsked) {
  StartWith({'a', kEos, 'b', 'c'});
  GenerationRequest request = MakeRequest(kPrompt, 4);
  request.ignore_eos = true;
  const Transcript said = Run(std::move(request));
  EXPECT_EQ(said.text, "abc");
  EXPECT_THAT(said.ids(), ElementsAre('a', kEos, 'b', 'c'));
  EXPECT_EQ(said.last.finish, FinishReason::kLength);
}

TEST_F(EngineStreamTest, EndsAtAStopIdOfTheRequest) {
  StartWith({'a', 'b', 'X', 'c'});
  GenerationRequest request = MakeRequest(kPrompt, 10);
  request.stop_token_ids = {'Z', 'X'};
  const Transcript said = Run(std::move(request));
  EXPECT_EQ(said.text, "ab");
  EXPECT_EQ(said.last.finish, FinishReason::kStop);
}

TEST_F(EngineStreamTest, EndsBeforeAStopStringAcrossTokens) {
  StartWith({kWord, kWord + 1, kWord + 2, 'z'});
  GenerationRequest request = MakeRequest(kPrompt, 10);
  request.stop = {"never", "\nUser"};
  const Transcript said = Run(std::move(request));
  EXPECT_EQ(said.text, "Hello");
  EXPECT_EQ(said.last.finish, FinishReason::kStop);
  EXPECT_EQ(said.last.stop_match, "\nUser");
  EXPECT_EQ(said.last.usage->completion_tokens, 3);
}

TEST_F(EngineStreamTest, EmitsWholeCharactersOnly) {
  const std::vector<int32_t> bytes = {0xE2, 0x82, 0xAC, 'x', 0xF0, 0x9F, 0x98, 0x80};
  StartWith(bytes);
  const Transcript said = Run(MakeRequest(kPrompt, static_cast<int>(bytes.size())));
  EXPECT_THAT(said.pieces, ElementsAre("\xE2\x82\xAC", "x", "\xF0\x9F\x98\x80"));
  EXPECT_THAT(said.ids(), ElementsAreArray(bytes));
}

TEST_F(EngineStreamTest, MinTokensSuppressesEveryStopId) {
  harness_.Start();
  // With every id but one a stop id, an unsuppressed answer would end at once.
  GenerationRequest request = MakeRequest(kPrompt, 10);
  for (int32_t id = 0; id < kMaxStopTokenIds; ++id) request.stop_token_ids.push_back(id);
  request.sampling.min_tokens = 9;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    request.sampling.seed = seed;
    const Transcript said = Run(request);
    EXPECT_GE(said.tokens.size(), 9u);
    for (size_t i = 0; i < 9; ++i) {
      EXPECT_GE(said.tokens[i].id, kMaxStopTokenIds);
      EXPECT_NE(said.tokens[i].id, kEos);
    }
  }
}

TEST_F(EngineStreamTest, StopStringsWaitForMinTokens) {
  StartWith({'x', 'x', 'x', 'y'});
  GenerationRequest request = MakeRequest(kPrompt, 10);
  request.stop = {"x"};
  request.sampling.min_tokens = 2;
  const Transcript said = Run(std::move(request));
  EXPECT_EQ(said.text, "xx");
  EXPECT_EQ(said.last.usage->completion_tokens, 3);
}

TEST_F(EngineStreamTest, LogprobsComeWithTheirTokens) {
  harness_.Start();
  GenerationRequest request = MakeRequest(kPrompt, 6);
  request.ignore_eos = true;
  request.sampling.top_logprobs = 3;
  const Transcript said = Run(request);
  ASSERT_EQ(said.tokens.size(), 6u);
  for (const TokenInfo& token : said.tokens) {
    EXPECT_LT(token.logprob, 0);
    ASSERT_EQ(token.top.size(), 3u);
    for (const TokenInfo::Alternative& top : token.top) {
      EXPECT_EQ(top.bytes, harness_.tokenizer.TokenBytes(top.id));
    }
  }
  request.sampling.top_logprobs = -1;
  for (const TokenInfo& token : Run(request).tokens) {
    EXPECT_EQ(token.logprob, 0);
    EXPECT_TRUE(token.top.empty());
  }
}

struct RecordingObserver final : EngineObserver {
  void OnFirstToken(absl::Duration ttft, absl::Duration queued) override {
    first_tokens.push_back(ttft);
    queue_times.push_back(queued);
  }
  void OnNextToken(absl::Duration latency) override { next_tokens.push_back(latency); }
  void OnFinished(const absl::Status& status, int prompt, int completion) override {
    finished.push_back(status.code());
    prompt_tokens += prompt;
    completion_tokens += completion;
  }
  void OnStep(int rows, int decode_rows, int sequences, absl::Duration duration) override {
    steps.push_back({rows, decode_rows, sequences});
    step_time += duration;
  }

  std::vector<absl::Duration> first_tokens, queue_times, next_tokens;
  std::vector<absl::StatusCode> finished;
  std::vector<std::vector<int>> steps;
  absl::Duration step_time;
  int prompt_tokens = 0;
  int completion_tokens = 0;
};

TEST(EngineObserverTest, SeesTimesAndWork) {
  RecordingObserver observer;
  {
    EngineHarness harness(SmallRunnerInfo(), {}, /*gated=*/true, &observer);
    harness.Start();
    GenerationRequest request = MakeRequest({'a', 'b', 'c'}, 3);
    request.ignore_eos = true;
    const Generation generation = harness.Submit(std::move(request));
    harness.gate.AwaitStep();
    harness.clock.Advance(absl::Milliseconds(70));
    harness.gate.RunStepAndAwaitNext();
    harness.clock.Advance(absl::Milliseconds(20));
    harness.gate.RunStepAndAwaitNext();
    harness.clock.Advance(absl::Milliseconds(30));
    harness.gate.RunStep();
    const Transcript said = ReadAll(*generation.stream);
    EXPECT_EQ(said.last.usage->time_to_first_token, absl::Milliseconds(70));
    EXPECT_EQ(said.last.usage->queued, absl::ZeroDuration());
  }
  EXPECT_THAT(observer.first_tokens, ElementsAre(absl::Milliseconds(70)));
  EXPECT_THAT(observer.queue_times, ElementsAre(absl::ZeroDuration()));
  EXPECT_THAT(observer.next_tokens, ElementsAre(absl::Milliseconds(20), absl::Milliseconds(30)));
  EXPECT_THAT(observer.finished, ElementsAre(absl::StatusCode::kOk));
  EXPECT_EQ(observer.prompt_tokens, 3);
  EXPECT_EQ(observer.completion_tokens, 3);
  EXPECT_THAT(observer.steps,
              ElementsAre(ElementsAre(3, 0, 1), ElementsAre(1, 1, 1), ElementsAre(1, 1, 1)));
  EXPECT_EQ(observer.step_time, absl::Milliseconds(120));
}

}  // namespace
}  // namespace memory3
