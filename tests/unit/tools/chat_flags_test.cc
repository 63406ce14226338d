#include "tools/chat_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/reflection.h"

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Sets flags by their text, as a command line does, until the end of the test.
class ChatFlagsTest : public ::testing::Test {
 protected:
  void Set(const char* name, const char* value) {
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    ASSERT_NE(flag, nullptr) << name;
    std::string error;
    ASSERT_TRUE(flag->ParseFrom(value, &error)) << error;
  }

 private:
  absl::FlagSaver saver_;
};

TEST_F(ChatFlagsTest, NothingGivenNothingSet) {
  const auto request = RequestFromFlags();
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->ByteSizeLong(), 0u) << request->DebugString();
}

TEST_F(ChatFlagsTest, ZeroIsSentWhenGiven) {
  Set("temperature", "0");
  Set("seed", "0");
  Set("top_k", "0");
  const auto request = RequestFromFlags();
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(request->has_temperature() && request->has_seed() && request->has_top_k());
  EXPECT_FALSE(request->has_top_p());
}

TEST_F(ChatFlagsTest, EveryFlagReachesItsField) {
  const std::pair<const char*, const char*> flags[] = {{"model", "m"},
                                                       {"max_tokens", "3"},
                                                       {"min_tokens", "2"},
                                                       {"temperature", "0.5"},
                                                       {"top_k", "4"},
                                                       {"top_p", "0.25"},
                                                       {"min_p", "0.125"},
                                                       {"repetition_penalty", "1.5"},
                                                       {"presence_penalty", "-1"},
                                                       {"frequency_penalty", "2"},
                                                       {"logit_bias", "17:-100,25:2.5"},
                                                       {"seed", "18446744073709551615"},
                                                       {"stop", "\\n,a\\x2c b"},
                                                       {"stop_token_ids", "5,6"},
                                                       {"ignore_eos", "true"},
                                                       {"top_logprobs", "7"},
                                                       {"user", "u"},
                                                       {"no_memory", "true"},
                                                       {"memory_policy", "strict"},
                                                       {"memory_required", "true"},
                                                       {"show_memory", "true"}};
  for (const auto& [name, value] : flags) Set(name, value);
  const auto request = RequestFromFlags();
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->model(), "m");
  EXPECT_EQ(request->user(), "u");
  EXPECT_EQ(request->max_tokens(), 3);
  EXPECT_EQ(request->min_tokens(), 2);
  EXPECT_EQ(request->temperature(), 0.5);
  EXPECT_EQ(request->top_k(), 4);
  EXPECT_EQ(request->top_p(), 0.25);
  EXPECT_EQ(request->min_p(), 0.125);
  EXPECT_EQ(request->repetition_penalty(), 1.5);
  EXPECT_EQ(request->presence_penalty(), -1);
  EXPECT_EQ(request->frequency_penalty(), 2);
  ASSERT_EQ(request->logit_bias_size(), 2);
  EXPECT_EQ(request->logit_bias().at(17), -100);
  EXPECT_EQ(request->logit_bias().at(25), 2.5);
  EXPECT_EQ(request->seed(), 18446744073709551615u);
  EXPECT_THAT(request->stop(), ElementsAre("\n", "a, b"));
  EXPECT_THAT(request->stop_token_ids(), ElementsAre(5, 6));
  EXPECT_TRUE(request->ignore_eos());
  EXPECT_TRUE(request->logprobs());
  EXPECT_EQ(request->top_logprobs(), 7);
  // That two of them contradict each other is the server's to say.
  EXPECT_TRUE(request->has_use_memory() && !request->use_memory());
  EXPECT_EQ(request->memory_policy(), v1::MEMORY_POLICY_STRICT);
  EXPECT_TRUE(request->memory_required());
  EXPECT_TRUE(request->memory_details());
  Set("memory_policy", "off");
  EXPECT_EQ(RequestFromFlags()->memory_policy(), v1::MEMORY_POLICY_OFF);
}

TEST_F(ChatFlagsTest, MalformedListsAreRefusedByFlag) {
  const std::pair<const char*, const char*> flags[] = {{"logit_bias", "17"},
                                                       {"logit_bias", "x:1"},
                                                       {"stop_token_ids", "eos"},
                                                       {"stop", "\\q"},
                                                       {"memory_policy", "never"}};
  for (const auto& [name, value] : flags) {
    const absl::FlagSaver saver;
    Set(name, value);
    const auto request = RequestFromFlags();
    ASSERT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << name << value;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr(name));
  }
}

}  // namespace
}  // namespace memory3
