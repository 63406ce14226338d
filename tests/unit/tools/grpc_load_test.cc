#include "tools/grpc_load.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "tests/unit/tools/scripted_chat_server.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

constexpr GrpcLoadOptions kTwoStreams = {.streams = 2, .seed = 5, .vocab = 100};

class GrpcLoadTest : public ::testing::Test {
 protected:
  ScriptedChatServer server_;
  std::unique_ptr<v1::ChatService::Stub> stub_ =
      v1::ChatService::NewStub(ConnectTo(server_.target()));
};

TEST_F(GrpcLoadTest, EveryRequestIsMeasured) {
  server_.service.answer = {"a", "b", "c"};
  const auto samples = RunGrpcLoad(*stub_, UniformWorkload(7, 11, 3), kTwoStreams);
  ASSERT_EQ(samples.size(), 7u);
  for (const RequestSample& sample : samples) {
    EXPECT_EQ(sample.error, "");
    EXPECT_EQ(sample.prompt_tokens, 11);
    EXPECT_EQ(sample.tokens(), 3);
    EXPECT_GE(sample.first(), sample.start);
  }
  EXPECT_EQ(Summarize(samples).finished, 7);
}

TEST_F(GrpcLoadTest, NoMoreStreamsThanAsked) {
  server_.service.answer = {"a"};
  const auto samples =
      RunGrpcLoad(*stub_, UniformWorkload(5, 2, 1), {.streams = 1, .seed = 5, .vocab = 100});
  for (size_t i = 1; i < samples.size(); ++i) {
    EXPECT_GE(samples[i].start, samples[i - 1].last()) << i;
  }
}

TEST_F(GrpcLoadTest, AsksForExactlyTheWorkload) {
  server_.service.answer = {"a"};
  RunGrpcLoad(*stub_, UniformWorkload(1, 9, 4), kTwoStreams);
  const v1::ChatRequest request = server_.service.last_request();
  const std::vector<int32_t> prompt = RandomPrompt(5, 0, 9, 100);
  EXPECT_THAT(request.prompt_token_ids(), ::testing::ElementsAreArray(prompt));
  EXPECT_EQ(request.max_tokens(), 4);
  EXPECT_TRUE(request.ignore_eos());
  EXPECT_TRUE(request.has_temperature());
  EXPECT_EQ(request.temperature(), 0);
}

TEST_F(GrpcLoadTest, OpenLoopKeepsToTheArrivalTimes) {
  server_.service.answer = {"a"};
  std::vector<PlannedRequest> plan = UniformWorkload(3, 1, 1);
  plan[1].arrival = absl::Milliseconds(20);
  plan[2].arrival = absl::Milliseconds(50);
  const auto samples = RunGrpcLoad(*stub_, plan, {.streams = 0, .seed = 1, .vocab = 10});
  EXPECT_EQ(samples[1].start - samples[0].start, absl::Milliseconds(20));
  EXPECT_EQ(samples[2].start - samples[0].start, absl::Milliseconds(50));
  EXPECT_GE(samples[2].first(), samples[2].start);
}

TEST_F(GrpcLoadTest, ErrorsAreNamedByCode) {
  server_.service.status = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  const LoadSummary summary = Summarize(RunGrpcLoad(*stub_, UniformWorkload(4, 1, 1), kTwoStreams));
  EXPECT_EQ(summary.finished, 0);
  EXPECT_EQ(summary.errors.at("RESOURCE_EXHAUSTED"), 4);
}

}  // namespace
}  // namespace memory3
