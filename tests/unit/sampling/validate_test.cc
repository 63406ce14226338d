#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "engine/base/field_error.h"
#include "engine/sampling/sampler.h"

namespace memory3 {
namespace {

using ::testing::HasSubstr;

constexpr int kVocab = 100;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ValidateTest, DefaultsAndLimitsAreValid) {
  EXPECT_TRUE(Validate(SamplingParams{}, kVocab).ok());
  SamplingParams params;
  params.temperature = kMaxTemperature;
  params.top_k = 1 << 30;  // more than there are tokens: all of them
  params.min_p = 1;
  params.presence_penalty = -2;
  params.frequency_penalty = 2;
  params.logit_bias = {{0, -100.0f}, {kVocab - 1, 100.0f}};
  params.suppressed_until_min = {0, kVocab - 1};
  params.top_logprobs = kMaxTopLogprobs;
  EXPECT_TRUE(Validate(params, kVocab).ok());
}

template <typename Set>
void ExpectRefused(const std::string& field, Set set) {
  SamplingParams params;
  set(params);
  const absl::Status status = Validate(params, kVocab);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_EQ(FieldOf(status), field);
  EXPECT_THAT(std::string(status.message()), HasSubstr(field));
}

TEST(ValidateTest, NamesTheFieldThatIsOutOfRange) {
  for (const float bad : {-0.1f, 100.5f, kNaN, kInfinity}) {
    ExpectRefused("temperature", [&](SamplingParams& p) { p.temperature = bad; });
  }
  for (const float bad : {0.0f, -1.0f, 1.5f, kNaN, kInfinity}) {
    ExpectRefused("top_p", [&](SamplingParams& p) { p.top_p = bad; });
  }
  for (const float bad : {-0.1f, 1.1f, kNaN, kInfinity}) {
    ExpectRefused("min_p", [&](SamplingParams& p) { p.min_p = bad; });
  }
  for (const float bad : {0.0f, -1.0f, kNaN, kInfinity}) {
    ExpectRefused("repetition_penalty", [&](SamplingParams& p) { p.repetition_penalty = bad; });
  }
  for (const float bad : {-2.1f, 2.1f, kNaN, -kInfinity}) {
    ExpectRefused("presence_penalty", [&](SamplingParams& p) { p.presence_penalty = bad; });
    ExpectRefused("frequency_penalty", [&](SamplingParams& p) { p.frequency_penalty = bad; });
  }
  for (const float bad : {-100.5f, 101.0f, kNaN, kInfinity}) {
    ExpectRefused("logit_bias", [&](SamplingParams& p) { p.logit_bias = {{1, bad}}; });
  }
  for (const int32_t bad : {-1, kVocab}) {
    ExpectRefused("logit_bias", [&](SamplingParams& p) { p.logit_bias = {{bad, 1.0f}}; });
    ExpectRefused("suppressed_until_min",
                  [&](SamplingParams& p) { p.suppressed_until_min = {bad}; });
  }
  ExpectRefused("logit_bias", [](SamplingParams& p) { p.logit_bias = {{1, 1}, {2, 1}, {1, 2}}; });
  ExpectRefused("logit_bias", [](SamplingParams& p) { p.logit_bias.resize(kMaxLogitBias + 1); });
  ExpectRefused("top_k", [](SamplingParams& p) { p.top_k = -1; });
  ExpectRefused("min_tokens", [](SamplingParams& p) { p.min_tokens = -1; });
  ExpectRefused("top_logprobs", [](SamplingParams& p) { p.top_logprobs = -2; });
  ExpectRefused("top_logprobs", [](SamplingParams& p) { p.top_logprobs = kMaxTopLogprobs + 1; });
}

}  // namespace
}  // namespace memory3
