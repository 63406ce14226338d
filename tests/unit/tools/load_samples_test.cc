#include "tools/load_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

absl::Time At(double seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }

RequestSample Sample(double start, int prompt,
                     const std::vector<std::pair<double, int>>& arrivals) {
  RequestSample sample;
  sample.start = At(start);
  sample.prompt_tokens = prompt;
  for (const auto& [time, tokens] : arrivals) sample.arrivals.push_back({At(time), tokens});
  return sample;
}

TEST(LoadSamplesTest, OneRequest) {
  // 10 prompt tokens in 2 s, then a token every half second.
  const LoadSummary summary =
      Summarize({Sample(0, 10, {{2, 1}, {2.5, 1}, {3, 1}, {3.5, 1}, {4, 1}})});
  EXPECT_EQ(summary.finished, 1);
  EXPECT_EQ(summary.output_tokens, 5);
  EXPECT_EQ(summary.wall, absl::Seconds(4));
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_second, 1.25);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens_per_second.value(), 5);
  EXPECT_DOUBLE_EQ(summary.decode_tokens_per_second.value(), 2);
  // 1 token before the window, 4 in it: 10 + 1 + 2 in its middle.
  EXPECT_DOUBLE_EQ(summary.mean_decode_context, 13);
  EXPECT_EQ(summary.ttft.At(50), 2);
  EXPECT_EQ(summary.itl.count(), 4u);
  EXPECT_EQ(summary.itl.At(99), 0.5);
}

TEST(LoadSamplesTest, DecodeIsMeasuredWhileAllDecode) {
  // The second has its first token at 3; the first its last one at 5: 2 + 2 tokens in 2 s.
  const LoadSummary summary = Summarize({Sample(0, 4, {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}}),
                                         Sample(0, 8, {{3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 1}})});
  EXPECT_DOUBLE_EQ(summary.decode_tokens_per_second.value(), 2);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens_per_second.value(), 4);
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_second, 10.0 / 7);
}

TEST(LoadSamplesTest, RequestsOneAfterTheOtherHaveNoCommonDecodePhase) {
  const LoadSummary summary =
      Summarize({Sample(0, 4, {{1, 1}, {2, 1}}), Sample(2, 4, {{3, 1}, {4, 1}})});
  // The second had not started when the first had its first token.
  EXPECT_FALSE(summary.decode_tokens_per_second.has_value());
  EXPECT_FALSE(summary.prompt_tokens_per_second.has_value());
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_second, 1);
}

TEST(LoadSamplesTest, OneTokenAnswersHaveAPromptRateOnly) {
  const LoadSummary summary = Summarize({Sample(0, 100, {{2, 1}}), Sample(1, 100, {{4, 1}})});
  EXPECT_DOUBLE_EQ(summary.prompt_tokens_per_second.value(), 50);
  EXPECT_FALSE(summary.decode_tokens_per_second.has_value());
  EXPECT_TRUE(summary.itl.empty());
}

TEST(LoadSamplesTest, TokensThatComeTogetherShareTheirGap) {
  const LoadSummary summary = Summarize({Sample(0, 1, {{1, 1}, {4, 3}})});
  EXPECT_EQ(summary.itl.count(), 3u);
  EXPECT_DOUBLE_EQ(summary.itl.At(1), 1);
  EXPECT_DOUBLE_EQ(summary.itl.At(100), 1);
}

TEST(LoadSamplesTest, FailuresAreCountedByCodeAndEnterNoFigure) {
  RequestSample refused = Sample(0, 1000, {{50, 7}});
  refused.error = "RESOURCE_EXHAUSTED";
  const LoadSummary summary =
      Summarize({refused, Sample(1, 2, {{2, 1}, {3, 1}}), refused, Sample(0, 1, {})});
  EXPECT_EQ(summary.finished, 1);
  EXPECT_THAT(summary.errors, ElementsAre(Pair("RESOURCE_EXHAUSTED", 2), Pair("no tokens", 1)));
  EXPECT_EQ(summary.output_tokens, 2);
  EXPECT_EQ(summary.wall, absl::Seconds(2));
}

TEST(LoadSamplesTest, NothingAtAll) {
  const LoadSummary summary = Summarize({});
  EXPECT_EQ(summary.finished, 0);
  EXPECT_TRUE(summary.ttft.empty());
  EXPECT_EQ(summary.output_tokens_per_second, 0);
}

}  // namespace
}  // namespace memory3
