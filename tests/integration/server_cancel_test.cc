// A client that leaves, in whatever state its request is, gives everything back.
#include "gtest/gtest.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kLongAnswer = 12000;

class ServerCancelTest : public testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options = TestOptions(LongModel());
    options.max_sequences = 1;
    options.max_batch_tokens = 16;
    return options;
  }
  static void SetUpTestSuite() { server_ = std::make_unique<TestServer>(Options()); }
  static void TearDownTestSuite() { server_.reset(); }

  static bool Becomes(const std::string& sample, double value) {
    return Eventually([&] { return server_->Sample(sample) == value; });
  }

  static inline std::unique_ptr<TestServer> server_;
};

TEST_F(ServerCancelTest, InDecode) {
  ChatStream stream(server_->chat(), PromptRequest("a", kLongAnswer));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream.Read().has_value());
  EXPECT_EQ(server_->Sample("memory3_running_sequences"), 1);
  EXPECT_GT(server_->Sample("memory3_kv_blocks_used"), 0);
  stream.Cancel();
  EXPECT_EQ(stream.ReadAll().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_->BecomesIdle());
}

TEST_F(ServerCancelTest, InPrefill) {
  // A thousand steps of sixteen tokens before the first token of the answer.
  const double prefilled = server_->Sample("memory3_time_to_first_token_seconds_count");
  ChatStream stream(server_->chat(), PromptRequest(std::string(16000, 'p'), 100));
  ASSERT_TRUE(Becomes("memory3_running_sequences", 1));
  stream.Cancel();
  const ChatAnswer answer = stream.ReadAll();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(answer.chunks.empty());
  EXPECT_TRUE(server_->BecomesIdle());
  EXPECT_EQ(server_->Sample("memory3_time_to_first_token_seconds_count"), prefilled);
}

TEST_F(ServerCancelTest, WhileQueued) {
  ChatStream running(server_->chat(), PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(running.Read().has_value());
  ChatStream queued(server_->chat(), PromptRequest("b", 10));
  ASSERT_TRUE(Becomes("memory3_queued_requests", 1));
  queued.Cancel();
  EXPECT_EQ(queued.ReadAll().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Becomes("memory3_queued_requests", 0));
  EXPECT_EQ(server_->Sample("memory3_running_sequences"), 1);
  EXPECT_TRUE(running.Read().has_value());
  running.Cancel();
  EXPECT_TRUE(server_->BecomesIdle());
}

TEST_F(ServerCancelTest, OfWholeAnswers) {
  const v1::ChatRequest request = PromptRequest("a", kLongAnswer);
  grpc::ClientContext context;
  v1::ChatCompletion completion;
  grpc::CompletionQueue queue;
  auto call = server_->chat().AsyncComplete(&context, request, &queue);
  grpc::Status status;
  call->Finish(&completion, &status, nullptr);
  ASSERT_TRUE(Becomes("memory3_running_sequences", 1));
  context.TryCancel();
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_->BecomesIdle());
}

TEST_F(ServerCancelTest, DeadlinesEndRunningAndQueuedRequests) {
  ChatStream running(server_->chat(), PromptRequest("a", kLongAnswer), absl::Milliseconds(400));
  ASSERT_TRUE(running.Read().has_value());
  ChatStream queued(server_->chat(), PromptRequest("b", 10), absl::Milliseconds(100));
  EXPECT_EQ(queued.ReadAll().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(running.ReadAll().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server_->BecomesIdle());
  // The server ends them by its own clock or when the client's reset comes, whichever is first.
  EXPECT_TRUE(Eventually([] {
    std::map<std::string, double> samples = server_->Scrape();
    return samples["memory3_requests_total{code=\"DEADLINE_EXCEEDED\",method=\"Chat\"}"] == 2;
  }));
}

}  // namespace
}  // namespace memory3
