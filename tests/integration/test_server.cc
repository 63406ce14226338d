#include "tests/integration/test_server.h"

#include <cstdio>
#include <utility>

#include "absl/time/clock.h"
#include "engine/base/check.h"
#include "tests/integration/http_get.h"
#include "tests/integration/instrumented.h"

namespace memory3 {

ServerOptions TestOptions(const std::filesystem::path& model_dir) {
  ServerOptions options;
  options.model_dir = model_dir;
  options.listen_addresses = {"127.0.0.1:0"};
  options.metrics_address = "127.0.0.1:0";
  options.threads = 1;
  options.kv_cache_bytes = int64_t{48} << 20;
  return options;
}

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(kInstrumented ? 120 : 30);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

std::shared_ptr<grpc::Channel> Connect(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

TestServer::TestServer(const ServerOptions& options, Begin begin)
    : log_file_(std::fopen("/dev/null", "w")), log_(log_file_, LogFormat::kText) {
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, log_);
  M3_CHECK(server.ok());
  server_ = *std::move(server);
  if (begin == Begin::kLoad) M3_CHECK(server_->LoadModel().ok());
  channel_ = Connect(server_->grpc_port());
  chat_ = v1::ChatService::NewStub(channel_);
}

TestServer::~TestServer() {
  // A client that nobody polls does not notice that the server asks it to leave.
  chat_.reset();
  channel_.reset();
  server_.reset();
  std::fclose(log_file_);
}

std::map<std::string, double> TestServer::Scrape() const {
  const HttpAnswer answer = HttpGet(server_->metrics_port(), "/metrics");
  M3_CHECK(answer.code == 200);
  return ParseSamples(answer.body);
}

double TestServer::Sample(const std::string& name) const {
  const std::map<std::string, double> samples = Scrape();
  const auto found = samples.find(name);
  return found == samples.end() ? 0 : found->second;
}

bool TestServer::BecomesIdle() const {
  return Eventually([this] {
    std::map<std::string, double> samples = Scrape();
    return samples.at("memory3_queued_requests") == 0 &&
           samples.at("memory3_running_sequences") == 0 &&
           samples.at("memory3_kv_blocks_used") == 0;
  });
}

}  // namespace memory3
