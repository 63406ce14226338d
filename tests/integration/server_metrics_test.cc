// Every metric of /metrics says something: it takes another value once the thing it counts happens.
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/integration/http_get.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

// Follows the samples of every family over several scrapes.
class FamilyHistory {
 public:
  using Samples = std::map<std::string, std::map<std::string, double>>;  // by family

  void Add(const std::string& exposition) {
    Samples now;
    for (const auto& [name, value] : ParseSamples(exposition)) {
      now[FamilyOf(name)][name] = value;
    }
    for (size_t at = 0; (at = exposition.find("# TYPE ", at)) != std::string::npos; at += 7) {
      families_.insert(exposition.substr(at + 7, exposition.find(' ', at + 7) - at - 7));
    }
    scrapes_.push_back(std::move(now));
  }

  std::set<std::string> families() const { return families_; }
  bool Moved(const std::string& family) const {
    std::set<std::map<std::string, double>> states;  // no samples at all is one of them
    for (const Samples& scrape : scrapes_) {
      const auto found = scrape.find(family);
      states.insert(found == scrape.end() ? std::map<std::string, double>() : found->second);
    }
    return states.size() > 1;
  }

 private:
  static std::string FamilyOf(const std::string& sample) {
    std::string name = sample.substr(0, sample.find('{'));
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      if (absl::EndsWith(name, suffix)) name.resize(name.size() - std::string(suffix).size());
    }
    return name;
  }

  std::set<std::string> families_;
  std::vector<Samples> scrapes_;
};

TEST(ServerMetricsTest, EveryMetricMoves) {
  ServerOptions options = TestOptions(LongModel());
  options.max_sequences = 1;
  options.stuck_after = absl::Nanoseconds(1);  // a server at work passes for stuck
  TestServer server(options, TestServer::Begin::kBindOnly);
  FamilyHistory history;
  const auto scrape = [&] {
    history.Add(HttpGet(server.server().metrics_port(), "/metrics").body);
  };
  scrape();
  ASSERT_TRUE(server.server().LoadModel().ok());
  scrape();
  {
    const auto other = v1::ChatService::NewStub(Connect(server.server().grpc_port()));
    ChatStream running(*other, PromptRequest("a", 12000));
    ASSERT_TRUE(running.Read().has_value());
    ChatStream queued(*other, PromptRequest("b", 10));
    EXPECT_TRUE(Eventually([&] {
      scrape();
      return history.Moved("memory3_live") && history.Moved("memory3_queued_requests") &&
             history.Moved("memory3_running_sequences") && history.Moved("memory3_kv_blocks_used");
    }));
  }
  ASSERT_TRUE(server.BecomesIdle());
  EXPECT_TRUE(Chat(server.chat(), PromptRequest("c", 10)).status.ok());
  EXPECT_TRUE(server.BecomesIdle());
  server.server().BeginDrain();
  scrape();
  EXPECT_GE(history.families().size(), 20U);
  std::ifstream page(M3_SOURCE_DIR "/docs/operations.md");
  const std::string documented(std::istreambuf_iterator<char>(page), {});
  for (const std::string& family : history.families()) {
    EXPECT_NE(documented.find(family), std::string::npos) << family;
    EXPECT_TRUE(absl::StartsWith(family, "memory3_")) << family;
    // Cut-offs have a test of their own.
    const bool still = family == "memory3_build_info" || family == "memory3_stream_cut_offs_total";
    EXPECT_EQ(history.Moved(family), !still) << family;
  }
}

TEST(ServerMetricsTest, StreamsOfSlowReadersAreCounted) {
  ServerOptions options = TestOptions(QuickModel());
  options.max_stream_events = 8;  // every reader is too slow, sooner or later
  TestServer server(options);
  int cut_off = 0;
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = Chat(server.chat(), PromptRequest("x", 500, i)).status;
    if (status.ok()) continue;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    ++cut_off;
  }
  EXPECT_GT(cut_off, 0);
  EXPECT_TRUE(
      Eventually([&] { return server.Sample("memory3_stream_cut_offs_total") == cut_off; }));
  EXPECT_TRUE(server.BecomesIdle());
}

TEST(ServerMetricsTest, TokensAndOutcomesAreCountedExactly) {
  TestServer server(TestOptions(QuickModel()));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Chat(server.chat(), PromptRequest("four", 10 + i)).status.ok());
  }
  EXPECT_FALSE(Chat(server.chat(), PromptRequest("four", -1)).status.ok());
  const std::string ok = "memory3_requests_total{code=\"OK\",method=\"Chat\"}";
  const std::string refused = "memory3_requests_total{code=\"INVALID_ARGUMENT\",method=\"Chat\"}";
  // A call is counted when gRPC is done with it, which its client may see first.
  EXPECT_TRUE(Eventually([&] { return server.Sample(ok) == 4 && server.Sample(refused) == 1; }));
  std::map<std::string, double> samples = server.Scrape();
  EXPECT_EQ(samples["memory3_prompt_tokens_total"], 4 * 5);
  EXPECT_EQ(samples["memory3_completion_tokens_total"], 10 + 11 + 12 + 13);
  EXPECT_EQ(samples["memory3_time_to_first_token_seconds_count"], 4);
  EXPECT_EQ(samples["memory3_inter_token_latency_seconds_count"], 9 + 10 + 11 + 12);
  // Fast hardware must not end in the first bucket.
  EXPECT_TRUE(samples.contains("memory3_inter_token_latency_seconds_bucket{le=\"0.0005\"}"));
  EXPECT_EQ(samples["memory3_step_rows_sum"], 4 * 5 + 9 + 10 + 11 + 12);
}

}  // namespace
}  // namespace memory3
