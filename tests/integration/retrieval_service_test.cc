// Calls of the sidecar over real gRPC: answers, refusals, limits, health, metrics.
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/integration/http_get.h"
#include "tests/integration/list_services.h"
#include "tests/integration/retrieval_bank.h"
#include "tests/integration/retrieval_harness.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr int kCount = 50;

class RetrievalServiceTest : public ::testing::Test {
 protected:
  RetrievalServiceTest() { PublishBank(bank_, 7, texts_); }

  HealthCheckResponse::ServingStatus HealthOf(RetrievalHarness& harness,
                                              const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const grpc::Status status =
        Health::NewStub(harness.channel())->Check(&context, request, &response);
    return status.ok() ? response.status() : HealthCheckResponse::SERVICE_UNKNOWN;
  }

  const TempDir dir_;
  const std::filesystem::path bank_ = dir_.path() / "bank";
  const std::vector<std::string> texts_ = BankTexts(kCount);
};

TEST_F(RetrievalServiceTest, AnswersEveryQueryInOrder) {
  RetrievalHarness harness(RetrievalTestOptions(bank_));
  ASSERT_TRUE(harness.BecomesReady());
  v1::RetrieveResponse response;
  const grpc::Status status = harness.Retrieve({texts_[3], "", texts_[44]}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.bank_epoch(), 7u);
  ASSERT_EQ(response.results_size(), 3);
  ASSERT_EQ(response.results(0).memories_size(), 5);
  EXPECT_EQ(response.results(0).memories(0).memory_id(), 3u);
  EXPECT_NEAR(response.results(0).memories(0).score(), 1, 1e-5);
  EXPECT_LE(response.results(0).memories(1).score(), response.results(0).memories(0).score());
  EXPECT_EQ(response.results(1).memories_size(), 0);
  EXPECT_EQ(response.results(2).memories(0).memory_id(), 44u);

  ASSERT_TRUE(harness.Retrieve(texts_, &response, 100).ok());
  ASSERT_EQ(response.results_size(), kCount);
  for (int i = 0; i < kCount; ++i) {
    EXPECT_EQ(response.results(i).memories_size(), kCount);
    EXPECT_EQ(response.results(i).memories(0).memory_id(), static_cast<uint64_t>(i));
  }
}

TEST_F(RetrievalServiceTest, RefusesBadRequestsByField) {
  RetrievalOptions options = RetrievalTestOptions(bank_);
  options.max_queries = 3;
  options.max_query_bytes = 100;
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  const auto field = [&](const std::vector<std::string>& queries, int limit) {
    v1::RetrieveResponse response;
    const grpc::Status status = harness.Retrieve(queries, &response, limit);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return FieldNamedBy(status);
  };
  EXPECT_EQ(field({}, 5), "queries");
  EXPECT_EQ(field({"a", "b", "c", "d"}, 5), "queries");
  EXPECT_EQ(field({"a", std::string(101, 'x')}, 5), "queries[1]");
  EXPECT_EQ(field({"a", "b", "\xFF"}, 5), "queries[2]");
  EXPECT_EQ(field({"a"}, 101), "limit");
  EXPECT_EQ(field({"a"}, -1), "limit");
}

TEST_F(RetrievalServiceTest, DescribesWhatItServes) {
  RetrievalHarness harness(RetrievalTestOptions(bank_));
  ASSERT_TRUE(harness.BecomesReady());
  v1::RetrievalInfo info;
  ASSERT_TRUE(harness.GetInfo(&info).ok());
  EXPECT_EQ(info.bank_epoch(), 7u);
  EXPECT_EQ(info.references(), static_cast<uint64_t>(kCount));
  EXPECT_EQ(info.model_fingerprint(), kTestFingerprint);
  EXPECT_EQ(info.embedder(), "lexical-256");
  EXPECT_EQ(info.dimensions(), 256);
}

TEST_F(RetrievalServiceTest, IsUnreadyUntilThereIsABank) {
  const std::filesystem::path later = dir_.path() / "later";
  RetrievalHarness harness(RetrievalTestOptions(later));
  v1::RetrieveResponse response;
  v1::RetrievalInfo info;
  EXPECT_EQ(harness.Retrieve({"x"}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(harness.GetInfo(&info).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(HealthOf(harness, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(HealthOf(harness, "liveness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(HttpGet(harness.server().metrics_port(), "/readyz").code, 503);
  EXPECT_EQ(HttpGet(harness.server().metrics_port(), "/healthz").code, 200);
  EXPECT_FALSE(harness.Refresh(&info).ok());

  PublishBank(later, 1, texts_);
  ASSERT_TRUE(harness.Refresh(&info).ok());
  for (const char* service : {"", "readiness", "memory3.v1.RetrievalService"}) {
    EXPECT_EQ(HealthOf(harness, service), HealthCheckResponse::SERVING) << service;
  }
  EXPECT_EQ(HealthOf(harness, "nobody"), HealthCheckResponse::SERVICE_UNKNOWN);
  EXPECT_EQ(harness.Nearest(texts_[9]), 9u);
}

TEST_F(RetrievalServiceTest, ReflectionListsTheServices) {
  RetrievalHarness harness(RetrievalTestOptions(bank_));
  const std::string names = ListServices(harness.channel());
  for (const char* service : {"memory3.v1.RetrievalService", "grpc.health.v1.Health"}) {
    EXPECT_NE(names.find(service), std::string::npos) << service;
  }
}

TEST_F(RetrievalServiceTest, ListensOnAUnixSocket) {
  RetrievalOptions options = RetrievalTestOptions(bank_);
  options.listen_addresses = {"unix:" + (dir_.path() / "socket").string()};
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  EXPECT_EQ(harness.Nearest(texts_[9]), 9u);
}

TEST_F(RetrievalServiceTest, GivesUpAtTheDeadline) {
  RetrievalHarness harness(RetrievalTestOptions(bank_));
  ASSERT_TRUE(harness.BecomesReady());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::RetrieveRequest request;
  request.add_queries("x");
  v1::RetrieveResponse response;
  EXPECT_EQ(harness.stub().Retrieve(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(RetrievalServiceTest, RefusesWhatItCannotTakeInTime) {
  RetrievalOptions options = RetrievalTestOptions(bank_);
  options.max_pending = 1;
  RetrievalHarness harness(options);
  ASSERT_TRUE(harness.BecomesReady());
  std::atomic<int> answered = 0, refused = 0, other = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const std::vector<std::string> queries(200, texts_[0] + texts_[1] + texts_[2]);
      for (int call = 0; call < 20; ++call) {
        v1::RetrieveResponse response;
        const grpc::Status status = harness.Retrieve(queries, &response);
        if (status.ok()) {
          ++answered;
        } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
          ++refused;
        } else {
          ++other;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_GT(answered, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(other, 0);
  EXPECT_EQ(harness.Sample("memory3_retrieval_requests_total"
                           "{code=\"RESOURCE_EXHAUSTED\",method=\"Retrieve\"}"),
            refused);
}

TEST_F(RetrievalServiceTest, EveryMetricMoves) {
  RetrievalHarness harness(RetrievalTestOptions(bank_));
  ASSERT_TRUE(harness.BecomesReady());
  v1::RetrieveResponse response;
  ASSERT_TRUE(harness.Retrieve({"a", "b", "c"}, &response).ok());
  ASSERT_FALSE(harness.Retrieve({}, &response).ok());
  const auto sample = [&](const std::string& name) {
    return harness.Sample("memory3_retrieval_" + name);
  };
  EXPECT_EQ(sample("requests_total{code=\"OK\",method=\"Retrieve\"}"), 1);
  EXPECT_EQ(sample("requests_total{code=\"INVALID_ARGUMENT\",method=\"Retrieve\"}"), 1);
  EXPECT_EQ(sample("queries_total"), 3);
  EXPECT_EQ(sample("duration_seconds_count"), 2);
  EXPECT_EQ(sample("ready"), 1);
  EXPECT_EQ(sample("bank_epoch"), 7);
  EXPECT_EQ(sample("references"), kCount);
  EXPECT_EQ(sample("bank_swaps_total"), 1);
}

TEST_F(RetrievalServiceTest, SaysWhichAddressCannotBeBound) {
  RetrievalOptions options = RetrievalTestOptions(bank_);
  options.listen_addresses = {"unix:/no/such/folder/socket"};
  Logger log(stderr, LogFormat::kText);
  const auto server = RetrievalServer::Start(options, log);
  EXPECT_NE(server.status().message().find("--listen_address"), absl::string_view::npos);
}

}  // namespace
}  // namespace memory3
