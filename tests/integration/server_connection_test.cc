// What one connection may ask of the server, and how long it may last.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kLongAnswer = 12000;  // many seconds

bool Connected(const std::shared_ptr<grpc::Channel>& channel) {
  return channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
}

TEST(ServerConnectionTest, AnOldConnectionTakesNoNewCallsAndItsStreamGoesOn) {
  ServerOptions options = TestOptions(LongModel());
  options.grpc.max_connection_age = absl::Milliseconds(200);
  options.grpc.max_connection_age_grace = absl::Minutes(10);
  TestServer server(options);
  const std::shared_ptr<grpc::Channel> channel = Connect(server.server().grpc_port());
  const auto chat = v1::ChatService::NewStub(channel);
  ChatStream stream(*chat, PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(stream.Read().has_value());
  EXPECT_TRUE(Eventually([&] { return stream.Read().has_value() && !Connected(channel); }));
  EXPECT_TRUE(stream.Read().has_value());
  // The client goes elsewhere by itself.
  EXPECT_TRUE(Chat(*chat, PromptRequest("b", 5)).status.ok());
  EXPECT_TRUE(stream.Read().has_value());
  stream.Cancel();
  EXPECT_EQ(stream.ReadAll().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server.BecomesIdle());
}

TEST(ServerConnectionTest, AfterTheGraceItsStreamEndsTooAndFreesEverything) {
  ServerOptions options = TestOptions(LongModel());
  options.grpc.max_connection_age = absl::Milliseconds(200);
  options.grpc.max_connection_age_grace = absl::Milliseconds(200);
  TestServer server(options);
  ChatStream stream(server.chat(), PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(stream.Read().has_value());
  const ChatAnswer answer = stream.ReadAll();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << answer.status.error_message();
  EXPECT_LT(answer.token_ids().size(), size_t{kLongAnswer});
  EXPECT_TRUE(server.BecomesIdle());
  EXPECT_TRUE(server.server().AwaitIdle(absl::Seconds(10)));
}

TEST(ServerConnectionTest, StreamsBeyondTheLimitWaitInTheClient) {
  ServerOptions options = TestOptions(LongModel());
  options.grpc.max_concurrent_streams = 1;
  TestServer server(options);
  ChatStream running(server.chat(), PromptRequest("a", kLongAnswer));
  ASSERT_TRUE(running.Read().has_value());
  ChatStream waiting(server.chat(), PromptRequest("b", 5), absl::Milliseconds(300));
  EXPECT_EQ(waiting.ReadAll().status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  // Another connection has a place of its own, and its call is the first that the server ends.
  const auto other = v1::ChatService::NewStub(Connect(server.server().grpc_port()));
  EXPECT_TRUE(Chat(*other, PromptRequest("c", 5)).status.ok());
  double ended = 0;
  for (const auto& [name, value] : server.Scrape()) {
    if (name.rfind("memory3_requests_total{", 0) == 0) ended += value;
  }
  EXPECT_LE(ended, 1);
  running.Cancel();
  EXPECT_EQ(running.ReadAll().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Chat(server.chat(), PromptRequest("d", 5)).status.ok());
}

TEST(ServerConnectionTest, OversizedMetadataIsRefused) {
  TestServer server(TestOptions(QuickModel()));
  const auto complete = [&](size_t metadata_bytes) {
    grpc::ClientContext context;
    context.AddMetadata("padding", std::string(metadata_bytes, 'x'));
    v1::ChatCompletion completion;
    return server.chat().Complete(&context, PromptRequest("a", 5), &completion);
  };
  EXPECT_TRUE(complete(8 << 10).ok());
  // gRPC ends the call, and often the connection too; which of them the client hears of first is
  // a race.
  EXPECT_THAT(complete(24 << 10).error_code(),
              testing::AnyOf(grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::UNAVAILABLE));
  EXPECT_TRUE(Eventually([&] { return complete(8 << 10).ok(); }));
}

}  // namespace
}  // namespace memory3
