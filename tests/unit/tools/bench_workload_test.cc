#include "tools/bench_workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace memory3 {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Trace> Parse(const std::string& text, const TraceOptions& options = {}) {
  const std::string file = ::testing::TempDir() + "bench_workload_test.jsonl";
  std::ofstream(file) << text;
  return LoadTrace(file, options);
}

TEST(BenchWorkloadTest, PromptsAreReproducibleAndDiffer) {
  const std::vector<int32_t> prompt = RandomPrompt(7, 3, 500, 10);
  EXPECT_EQ(prompt, RandomPrompt(7, 3, 500, 10));
  EXPECT_NE(prompt, RandomPrompt(7, 4, 500, 10));
  EXPECT_NE(prompt, RandomPrompt(8, 3, 500, 10));
  EXPECT_EQ(*std::min_element(prompt.begin(), prompt.end()), 0);
  EXPECT_EQ(*std::max_element(prompt.begin(), prompt.end()), 9);
}

TEST(BenchWorkloadTest, TraceIsSortedAndScaled) {
  const auto trace = Parse(
      "{\"timestamp\": 3000, \"input_length\": 100, \"output_length\": 10, \"hash_ids\": [1]}\n"
      "\n"
      "{\"timestamp\": 1000, \"input_length\": 1, \"output_length\": 0}\n",
      {.speed = 2, .length_scale = 0.5});
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 2u);
  EXPECT_EQ(trace->requests[0].arrival, absl::Milliseconds(500));
  EXPECT_EQ(trace->requests[0].prompt_tokens, 1);
  EXPECT_EQ(trace->requests[0].generate_tokens, 1);
  EXPECT_EQ(trace->requests[1].arrival, absl::Milliseconds(1500));
  EXPECT_EQ(trace->requests[1].prompt_tokens, 50);
  EXPECT_EQ(trace->requests[1].generate_tokens, 5);
  EXPECT_EQ(trace->cut, 0);
}

TEST(BenchWorkloadTest, TraceIsCutToTheLimits) {
  const auto trace = Parse(
      "{\"timestamp\": 0, \"input_length\": 1000, \"output_length\": 8}\n"
      "{\"timestamp\": 0, \"input_length\": 10, \"output_length\": 80}\n"
      "{\"timestamp\": 0, \"input_length\": 10, \"output_length\": 8}\n"
      "{\"timestamp\": 0, \"input_length\": 10, \"output_length\": 8}\n",
      {.max_requests = 3, .max_context_tokens = 64, .max_generate_tokens = 20});
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 3u);
  EXPECT_EQ(trace->requests[0].prompt_tokens, 56);
  EXPECT_EQ(trace->requests[0].generate_tokens, 8);
  EXPECT_EQ(trace->requests[1].generate_tokens, 20);
  EXPECT_EQ(trace->cut, 2);
}

TEST(BenchWorkloadTest, MalformedLinesAreNamed) {
  const std::string good = "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n";
  for (const char* bad : {"[]", "{", "{\"timestamp\": 0, \"input_length\": 1}",
                          "{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}",
                          "{\"timestamp\": 0, \"input_length\": 1e99, \"output_length\": 1}",
                          "{\"timestamp\": \"0\", \"input_length\": 1, \"output_length\": 1}"}) {
    const auto trace = Parse(good + bad);
    EXPECT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(trace.status().message()), HasSubstr(".jsonl:2: ")) << bad;
  }
  EXPECT_EQ(Parse("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadTrace("/does/not/exist", {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace memory3
