#include "tests/integration/retrieval_harness.h"

#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/check.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/integration/http_get.h"

namespace memory3 {

RetrievalOptions RetrievalTestOptions(const std::filesystem::path& bank) {
  RetrievalOptions options;
  options.bank = bank;
  options.listen_addresses = {"127.0.0.1:0"};
  options.metrics_address = "127.0.0.1:0";
  options.poll_interval = absl::Hours(1);
  return options;
}

bool ComesTrue(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

std::string FieldNamedBy(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::BadRequest bad_request;
  if (!details.ParseFromString(status.error_details()) || details.details().empty() ||
      !details.details(0).UnpackTo(&bad_request) || bad_request.field_violations().empty()) {
    return "";
  }
  return bad_request.field_violations(0).field();
}

RetrievalHarness::RetrievalHarness(const RetrievalOptions& options)
    : log_file_(std::fopen("/dev/null", "w")), log_(log_file_, LogFormat::kText) {
  absl::StatusOr<std::unique_ptr<RetrievalServer>> server = RetrievalServer::Start(options, log_);
  M3_CHECK(server.ok());
  server_ = *std::move(server);
  const std::string& address = options.listen_addresses.front();
  channel_ = grpc::CreateChannel(
      server_->grpc_port() == 0 ? address : absl::StrCat("127.0.0.1:", server_->grpc_port()),
      grpc::InsecureChannelCredentials());
  stub_ = v1::RetrievalService::NewStub(channel_);
}

RetrievalHarness::~RetrievalHarness() {
  stub_.reset();
  channel_.reset();
  server_.reset();
  std::fclose(log_file_);
}

grpc::Status RetrievalHarness::Retrieve(const std::vector<std::string>& queries,
                                        v1::RetrieveResponse* response, int limit) {
  grpc::ClientContext context;
  v1::RetrieveRequest request;
  for (const std::string& query : queries) request.add_queries(query);
  request.set_limit(limit);
  return stub_->Retrieve(&context, request, response);
}

uint64_t RetrievalHarness::Nearest(const std::string& query) {
  v1::RetrieveResponse response;
  const grpc::Status status = Retrieve({query}, &response);
  M3_CHECK(status.ok() && response.results(0).memories_size() > 0);
  return response.results(0).memories(0).memory_id();
}

grpc::Status RetrievalHarness::Refresh(v1::RetrievalInfo* info) {
  grpc::ClientContext context;
  return stub_->Refresh(&context, v1::RefreshRequest(), info);
}

grpc::Status RetrievalHarness::GetInfo(v1::RetrievalInfo* info) {
  grpc::ClientContext context;
  return stub_->GetInfo(&context, v1::GetRetrievalInfoRequest(), info);
}

bool RetrievalHarness::BecomesReady() {
  return ComesTrue([this] { return HttpGet(server_->metrics_port(), "/readyz").code == 200; });
}

double RetrievalHarness::Sample(const std::string& name) const {
  const std::map<std::string, double> samples =
      ParseSamples(HttpGet(server_->metrics_port(), "/metrics").body);
  const auto found = samples.find(name);
  return found == samples.end() ? 0 : found->second;
}

}  // namespace memory3
