// Readers slower than the server writes: each is cut off after its bounded buffer, alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <memory>

#include "tests/integration/http_get.h"
#include "tests/integration/instrumented.h"
#include "tests/integration/raw_http2_client.h"
#include "tests/integration/server_process.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

constexpr int kLongAnswer = 12000;
constexpr uint32_t kSmallWindow = 4096;
constexpr uint32_t kHugeWindow = 0x7FFFFFFF;

// More than a kilobyte for every token.
v1::ChatRequest FatRequest(const std::string& prompt, int max_tokens) {
  v1::ChatRequest request = PromptRequest(prompt, max_tokens);
  request.set_logprobs(true);
  request.set_top_logprobs(20);
  return request;
}

class ServerSlowReaderTest : public testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options = TestOptions(LongModel());
    options.max_stream_events = 256;  // enough for a reader that reads, on a busy machine
    // TCP must not give a full socket up before the buffer is full, however slow the machine.
    options.grpc.keepalive_timeout = absl::Minutes(10);
    return options;
  }
  bool CutOff() const { return server_.Sample("memory3_stream_cut_offs_total") == 1; }
  // Reads the good stream until `condition` comes true, and sees it go on.
  bool WhileGoodReads(const std::function<bool()>& condition) {
    return Eventually([&] { return good_.Read().has_value() && condition(); });
  }
  bool OnlyGoodRuns() {
    return WhileGoodReads([&] { return server_.Sample("memory3_running_sequences") == 1; });
  }
  void ExpectOnlyGoodIsLeft() {
    EXPECT_TRUE(OnlyGoodRuns());
    EXPECT_TRUE(WhileGoodReads([&] {
      return server_.Sample(
                 "memory3_requests_total{code=\"RESOURCE_EXHAUSTED\","
                 "method=\"Chat\"}") == 1;
    }));
    EXPECT_TRUE(CutOff());
    good_.Cancel();
    EXPECT_EQ(good_.ReadAll().status.error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_TRUE(server_.BecomesIdle());
    EXPECT_TRUE(server_.server().AwaitIdle(absl::Seconds(10)));
  }

  TestServer server_{Options()};
  ChatStream good_{server_.chat(), PromptRequest("good", kLongAnswer)};
};

TEST_F(ServerSlowReaderTest, WithoutFlowControlWindow) {
  RawHttp2Client slow(server_.server().grpc_port(), kSmallWindow);
  slow.StartChat(FatRequest("slow", kLongAnswer));
  EXPECT_TRUE(WhileGoodReads([&] {
    slow.Receive();
    return slow.trailers().has_value();
  }));
  EXPECT_EQ(slow.data_bytes(), kSmallWindow);
  EXPECT_THAT(slow.trailers().value_or(""), testing::HasSubstr(std::string("grpc-status\x01"
                                                                           "8")));
  ExpectOnlyGoodIsLeft();
}

// The sequence goes at once, what gRPC knows of the call when the connection does.
TEST_F(ServerSlowReaderTest, WhoseSocketIsFull) {
  auto slow = std::make_unique<RawHttp2Client>(server_.server().grpc_port(), kHugeWindow);
  slow->StartChat(FatRequest("slow", kLongAnswer));
  EXPECT_TRUE(WhileGoodReads([&] { return CutOff(); }));
  EXPECT_TRUE(OnlyGoodRuns());
  slow.reset();
  ExpectOnlyGoodIsLeft();
}

// gRPC's own client takes in a window's worth for a program that never reads. That window grows
// with the measured bandwidth unless told not to.
TEST_F(ServerSlowReaderTest, WhoUsesTheLibrary) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub = v1::ChatService::NewStub(
      grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_.server().grpc_port()),
                                grpc::InsecureChannelCredentials(), arguments));
  ChatStream slow(*stub, FatRequest("slow", kLongAnswer));
  EXPECT_TRUE(WhileGoodReads([&] { return CutOff(); }));
  const ChatAnswer answer = slow.ReadAll();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
      << answer.status.error_message();
  EXPECT_LT(answer.token_ids().size(), 2000U);
  ExpectOnlyGoodIsLeft();
}

// Where the answer comes too slowly to fill its buffer, TCP gives up first.
TEST(ServerSilentReaderTest, IsGoneAfterTheKeepaliveTimeout) {
  ServerOptions options = TestOptions(LongModel());
  options.max_stream_events = 1 << 20;
  options.grpc.keepalive_timeout = absl::Seconds(1);
  TestServer server(options);
  RawHttp2Client silent(server.server().grpc_port(), kHugeWindow);
  silent.StartChat(FatRequest("silent", kLongAnswer));
  EXPECT_TRUE(Eventually([&] {
    return server.Sample("memory3_requests_total{code=\"CANCELLED\",method=\"Chat\"}") == 1;
  }));
  EXPECT_EQ(server.Sample("memory3_stream_cut_offs_total"), 0);
  EXPECT_TRUE(server.BecomesIdle());
}

double Sample(const ServerProcess& server, const std::string& name) {
  return ParseSamples(HttpGet(server.metrics_port(), "/metrics").body)[name];
}

TEST(ServerSlowReaderProgramTest, DoesNotKeepTheServerFromStopping) {
  ServerProcess server({"--model_dir=" + LongModel().string(), "--shutdown_grace=200ms"});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  RawHttp2Client slow(server.grpc_port(), kSmallWindow);
  slow.StartChat(FatRequest("slow", 200));  // whose rest waits in its buffer
  EXPECT_TRUE(Eventually([&] { return Sample(server, "memory3_completion_tokens_total") == 200; }));
  EXPECT_EQ(Sample(server, "memory3_stream_cut_offs_total"), 0);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(absl::Seconds(30)), 0) << server.log();
}

TEST(ServerSlowReaderMemoryTest, StaysBounded) {
  if (kInstrumented) GTEST_SKIP() << "sanitizers keep memory of their own";
  constexpr int kReaders = 24, kRounds = 4;
  constexpr int64_t kBound = int64_t{48} << 20;
  ServerProcess server({"--model_dir=" + LongModel().string(), "--max_stream_events=256",
                        "--kv_cache_bytes=128MiB"});
  ASSERT_TRUE(server.AwaitReady()) << server.log();
  const int64_t before = server.resident_bytes();
  for (int round = 1; round <= kRounds; ++round) {
    std::vector<std::unique_ptr<RawHttp2Client>> readers;
    for (int i = 0; i < kReaders; ++i) {
      readers.push_back(std::make_unique<RawHttp2Client>(server.grpc_port(),
                                                         i % 2 == 0 ? kSmallWindow : kHugeWindow));
      readers.back()->StartChat(FatRequest("slow", 2000));
    }
    EXPECT_TRUE(Eventually(
        [&] { return Sample(server, "memory3_stream_cut_offs_total") == round * kReaders; }));
    EXPECT_LT(server.resident_bytes() - before, kBound) << "round " << round;
  }
}

}  // namespace
}  // namespace memory3
