#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/unit/tools/scripted_chat_server.h"
#include "tools/chat_answer.h"
#include "tools/rpc_client.h"

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChatClientTest : public ::testing::Test {
 protected:
  // Before gRPC starts threads: they must inherit the blocked signal.
  static void SetUpTestSuite() { interrupts_ = new Interrupts; }
  static void TearDownTestSuite() {
    delete interrupts_;
    interrupts_ = nullptr;
  }

  Answer Ask(absl::Duration timeout = absl::Seconds(60)) {
    v1::ChatRequest request;
    request.set_prompt("go");
    pieces_.clear();
    return StreamAnswer(*stub_, request, timeout, *interrupts_, [&](absl::string_view piece) {
      pieces_.emplace_back(piece);
      if (on_piece_) on_piece_();
    });
  }

  static Interrupts* interrupts_;
  ScriptedChatServer server_;
  std::unique_ptr<v1::ChatService::Stub> stub_ =
      v1::ChatService::NewStub(ConnectTo(server_.target()));
  std::vector<std::string> pieces_;
  std::function<void()> on_piece_;
};

Interrupts* ChatClientTest::interrupts_ = nullptr;

TEST_F(ChatClientTest, PiecesArriveInOrderAndAddUp) {
  server_.service.answer = {"Once", " upon", " a time"};
  const Answer answer = Ask();
  EXPECT_TRUE(answer.status.ok()) << Describe(answer.status);
  EXPECT_THAT(pieces_, ElementsAre("Once", " upon", " a time"));
  EXPECT_EQ(answer.text, "Once upon a time");
  EXPECT_EQ(answer.finish_reason, v1::FINISH_REASON_STOP);
  EXPECT_GT(answer.time_to_first_token, absl::ZeroDuration());
  EXPECT_GE(answer.time_to_last_token, answer.time_to_first_token);
  EXPECT_THAT(DescribeStats(answer), HasSubstr("[0 + 3 tokens (stop), first after "));
}

TEST_F(ChatClientTest, AnErrorKeepsWhatCameBefore) {
  server_.service.answer = {"half"};
  server_.service.status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away");
  const Answer answer = Ask();
  EXPECT_EQ(answer.text, "half");
  EXPECT_FALSE(answer.interrupted);
  EXPECT_EQ(Describe(answer.status), "UNAVAILABLE: going away");
}

TEST_F(ChatClientTest, TimeoutEndsAnAnswer) {
  server_.service.hang = true;
  const Answer answer = Ask(absl::Milliseconds(50));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_FALSE(answer.interrupted);
}

TEST_F(ChatClientTest, CtrlCCancelsTheRunningAnswerOnly) {
  // One piece, one signal: a second one would end the program.
  server_.service.answer = {"never ending"};
  server_.service.hang = true;
  on_piece_ = [] { kill(getpid(), SIGINT); };
  const Answer answer = Ask();
  EXPECT_TRUE(answer.interrupted);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::CANCELLED);

  server_.service.hang = false;
  on_piece_ = nullptr;
  EXPECT_TRUE(Ask().status.ok());
}

TEST_F(ChatClientTest, WaitsForHealth) {
  server_.SetServing(false);
  const auto channel = ConnectTo(server_.target());
  const absl::Status early = WaitUntilServing(channel, absl::Milliseconds(100));
  EXPECT_EQ(early.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(early.message()), HasSubstr("NOT_SERVING"));
  server_.SetServing(true);
  EXPECT_TRUE(WaitUntilServing(channel, absl::Seconds(60)).ok());
}

TEST(DescribeTest, NamesFieldsAndRetryDelay) {
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("top_p");
  violation->set_description("must be in (0, 1]");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(250'000'000);
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  details.add_details()->PackFrom(retry);
  EXPECT_EQ(Describe(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "bad request",
                                  details.SerializeAsString())),
            "INVALID_ARGUMENT: bad request\n"
            "  top_p: must be in (0, 1]\n"
            "  retry in 0.25 s at the earliest");
  EXPECT_EQ(Describe(grpc::Status(grpc::StatusCode::INTERNAL, "oh", "\xff not a message")),
            "INTERNAL: oh");
  EXPECT_EQ(CodeName(static_cast<grpc::StatusCode>(99)), "code 99");
}

TEST(DescribeTest, LogprobsAreALinePerToken) {
  v1::PositionLogprobs position;
  position.mutable_chosen()->set_logprob(-0.5);
  position.mutable_chosen()->set_token("a\n");
  v1::TokenLogprob* other = position.add_top();
  other->set_logprob(-2.25);
  other->set_token("\xc3");
  EXPECT_EQ(DescribeLogprobs({position}), "  -0.5000  \"a\\n\"   of: \"\xc3\" -2.2500\n");
}

}  // namespace
}  // namespace memory3
