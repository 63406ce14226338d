// Before the model is loaded, while it serves, and while the server drains.
#include <array>

#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/integration/http_get.h"
#include "tests/integration/list_services.h"
#include "tests/integration/synth_folder.h"
#include "tests/integration/test_server.h"

namespace memory3 {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::Status Check(Health::Stub& stub, const std::string& service,
                   HealthCheckResponse::ServingStatus* serving) {
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse response;
  const grpc::Status status = stub.Check(&context, request, &response);
  *serving = response.status();
  return status;
}

void ExpectHealth(TestServer& server, HealthCheckResponse::ServingStatus expected) {
  const std::unique_ptr<Health::Stub> stub = Health::NewStub(server.channel());
  HealthCheckResponse::ServingStatus serving = HealthCheckResponse::UNKNOWN;
  for (const std::string service : {"", "readiness", "memory3.v1.ChatService"}) {
    EXPECT_TRUE(Check(*stub, service, &serving).ok());
    EXPECT_EQ(serving, expected) << "'" << service << "'";
  }
  EXPECT_TRUE(Check(*stub, "liveness", &serving).ok());
  EXPECT_EQ(serving, HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(*stub, "nobody", &serving).error_code(), grpc::StatusCode::NOT_FOUND);
  const bool ready = expected == HealthCheckResponse::SERVING;
  EXPECT_EQ(HttpGet(server.server().metrics_port(), "/readyz").code, ready ? 200 : 503);
  EXPECT_EQ(HttpGet(server.server().metrics_port(), "/healthz").code, 200);
}

TEST(ServerLifecycleTest, HealthAndAdmissionFollowLoadingServingAndDraining) {
  TestServer server(TestOptions(LongModel()), TestServer::Begin::kBindOnly);
  grpc::ClientContext watch_context;
  const auto watch = Health::NewStub(server.channel())->Watch(&watch_context, HealthCheckRequest());
  HealthCheckResponse news;

  ExpectHealth(server, HealthCheckResponse::NOT_SERVING);
  const grpc::Status early = Chat(server.chat(), PromptRequest("a", 5)).status;
  EXPECT_EQ(early.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(RetryInfoOf(early).has_value());
  ASSERT_TRUE(watch->Read(&news));
  EXPECT_EQ(news.status(), HealthCheckResponse::NOT_SERVING);

  ASSERT_TRUE(server.server().LoadModel().ok());
  ExpectHealth(server, HealthCheckResponse::SERVING);
  ASSERT_TRUE(watch->Read(&news));
  EXPECT_EQ(news.status(), HealthCheckResponse::SERVING);
  ChatStream running(server.chat(), PromptRequest("a", 2000));
  ASSERT_TRUE(running.Read().has_value());

  server.server().BeginDrain();
  ExpectHealth(server, HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(watch->Read(&news));
  EXPECT_EQ(news.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Chat(server.chat(), PromptRequest("b", 5)).status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(running.ReadAll().status.ok());
  EXPECT_TRUE(server.server().AwaitIdle(absl::Seconds(10)));
  watch_context.TryCancel();
}

TEST(ServerLifecycleTest, OnlyAStuckStepMakesLivenessFail) {
  ServerOptions options = TestOptions(LongModel());
  options.stuck_after = absl::Nanoseconds(1);  // a server at work passes for stuck
  TestServer server(options);
  const std::unique_ptr<Health::Stub> stub = Health::NewStub(server.channel());
  const auto liveness = [&] {
    HealthCheckResponse::ServingStatus serving = HealthCheckResponse::UNKNOWN;
    EXPECT_TRUE(Check(*stub, "liveness", &serving).ok());
    return serving;
  };
  const auto page = [&](const char* path) {
    return HttpGet(server.server().metrics_port(), path).code;
  };
  ExpectHealth(server, HealthCheckResponse::SERVING);
  ChatStream running(server.chat(), PromptRequest("a", 12000));
  ASSERT_TRUE(running.Read().has_value());
  EXPECT_TRUE(Eventually([&] { return liveness() == HealthCheckResponse::NOT_SERVING; }));
  EXPECT_TRUE(Eventually([&] { return page("/healthz") == 503; }));
  EXPECT_EQ(page("/readyz"), 200);  // a restart is for liveness to ask for
  running.Cancel();
  EXPECT_TRUE(server.BecomesIdle());
  ExpectHealth(server, HealthCheckResponse::SERVING);
}

TEST(ServerLifecycleTest, ReflectionListsTheServices) {
  TestServer server(TestOptions(QuickModel()), TestServer::Begin::kBindOnly);
  const std::string names = ListServices(server.channel());
  for (const char* service : {"memory3.v1.ChatService", "memory3.v1.ModelService",
                              "memory3.v1.TokenizerService", "grpc.health.v1.Health"}) {
    EXPECT_NE(names.find(service), std::string::npos) << service;
  }
}

}  // namespace
}  // namespace memory3
