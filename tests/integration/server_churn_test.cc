// M3_STREAMS streams opened over gRPC and left at random moments, in every way a client can leave.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kClients = 8;
constexpr int kStreamsPerChannel = 25;

// One connection's worth of streams, up to three of them at once.
void OpenAndLeave(int port, std::mt19937& random) {
  const auto below = [&random](int end) { return static_cast<int>(random() % end); };
  const auto chat = v1::ChatService::NewStub(Connect(port));
  std::vector<std::unique_ptr<ChatStream>> open;
  for (int i = 0; i < kStreamsPerChannel; ++i) {
    const int max_tokens = 1 + below(200);
    const std::string prompt(1 + below(250), 'p');
    const absl::Duration timeout =
        below(4) == 0 ? absl::Microseconds(below(30'000)) : absl::InfiniteDuration();
    open.push_back(
        std::make_unique<ChatStream>(*chat, PromptRequest(prompt, max_tokens, random()), timeout));
    for (int chunks = below(2) * below(20); chunks > 0; --chunks) {
      if (!open.back()->Read().has_value()) break;
    }
    if (below(3) == 0) absl::SleepFor(absl::Microseconds(below(3000)));
    if (below(8) == 0) open.back()->ReadAll();
    if (open.size() == 3) open.erase(open.begin() + below(3));  // cancels what has not ended
  }
}

void ExpectUsable(TestServer& server) {
  for (int i = 0; i < 20; ++i) {
    const ChatAnswer answer = Chat(server.chat(), PromptRequest("still here", 10, i));
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.token_ids().size(), 10U);
  }
}

TEST(ServerChurnTest, LeavesNothingBehind) {
  ServerOptions options = TestOptions(QuickModel());
  options.max_sequences = 8;
  options.max_queued_requests = 12;  // some are refused
  TestServer server(options);
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937 random(seed + client);
      for (int i = 0; i < M3_STREAMS; i += kClients * kStreamsPerChannel) {
        OpenAndLeave(server.server().grpc_port(), random);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(server.BecomesIdle());
  EXPECT_TRUE(server.server().AwaitIdle(absl::Seconds(30))) << "calls are left";
  double ended = 0, completed = 0;
  for (const auto& [name, value] : server.Scrape()) {
    if (name.rfind("memory3_requests_total{", 0) == 0) ended += value;
    if (name == "memory3_requests_total{code=\"OK\",method=\"Chat\"}") completed = value;
  }
  EXPECT_GT(ended, M3_STREAMS / 2);  // the others were gone before the server heard of them
  EXPECT_LE(ended, M3_STREAMS);
  EXPECT_GT(completed, 0);
  ExpectUsable(server);
  EXPECT_TRUE(server.BecomesIdle());
}

}  // namespace
}  // namespace memory3
