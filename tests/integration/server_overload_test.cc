// More than the server can take.
#include "gtest/gtest.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kLongAnswer = 12000;

void ExpectRefusedForNow(const grpc::Status& status) {
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  const std::optional<google::rpc::RetryInfo> retry = RetryInfoOf(status);
  ASSERT_TRUE(retry.has_value());
  EXPECT_GT(retry->retry_delay().seconds() * 1'000'000'000 + retry->retry_delay().nanos(), 0);
}

TEST(ServerOverloadTest, FullQueueRefusesAtOnceAndTakenRequestsFinish) {
  ServerOptions options = TestOptions(LongModel());
  options.max_sequences = 1;
  options.max_queued_requests = 2;
  TestServer server(options);
  ChatStream running(server.chat(), PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(running.Read().has_value());
  ChatStream second(server.chat(), PromptRequest("b", 20, 2));
  ChatStream third(server.chat(), PromptRequest("c", 20, 3));
  ASSERT_TRUE(Eventually([&] { return server.Sample("memory3_queued_requests") == 2; }));
  for (int i = 0; i < 5; ++i) {
    ExpectRefusedForNow(Chat(server.chat(), PromptRequest("d", 20)).status);
  }
  EXPECT_TRUE(running.Read().has_value());
  running.Cancel();
  for (ChatStream* taken : {&second, &third}) {
    const ChatAnswer answer = taken->ReadAll();
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.token_ids().size(), 20U);
  }
  EXPECT_TRUE(server.BecomesIdle());
}

TEST(ServerOverloadTest, CallsInProgressAreBounded) {
  ServerOptions options = TestOptions(LongModel());
  options.max_active_calls = 1;
  TestServer server(options);
  ChatStream running(server.chat(), PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(running.Read().has_value());
  ExpectRefusedForNow(Chat(server.chat(), PromptRequest("b", 5)).status);
  running.Cancel();
  EXPECT_TRUE(Eventually([&] { return Chat(server.chat(), PromptRequest("b", 5)).status.ok(); }));
}

}  // namespace
}  // namespace memory3
