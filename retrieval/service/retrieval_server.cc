#include "retrieval/service/retrieval_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/health_service.h"
#include "common/http_endpoint.h"
#include "common/port_file.h"
#include "common/version.h"
#include "common/work_queue.h"
#include "engine/base/mutex.h"
#include "engine/base/status_macros.h"
#include "retrieval/service/bank_follower.h"
#include "retrieval/service/retrieval_metrics.h"
#include "retrieval/service/retrieval_service.h"

namespace memory3 {

using grpc::health::v1::HealthCheckResponse;

// Members are declared in the order in which they are built; what uses another is destroyed before
// it. Service and work queue name each other: Shutdown ends the queue's threads.
class RetrievalServer::Impl {
 public:
  Impl(const RetrievalOptions& options, Logger& log)
      : options_(options),
        log_(log),
        bank_(options_, metrics_, log),
        health_([this](std::string_view service) { return HealthOf(service); }),
        service_(options_, bank_, work_, metrics_, [this] { health_.Refresh(); }),
        work_(options.threads, options.max_pending) {}

  ~Impl() { Shutdown(); }

  absl::Status Start() {
    M3_RETURN_IF_ERROR(BindGrpc());
    M3_RETURN_IF_ERROR(StartHttp());
    if (!options_.port_file.empty()) {
      M3_RETURN_IF_ERROR(WritePortFile(options_.port_file, grpc_port_));
    }
    poller_ = std::thread([this] { PollUntilStopped(); });
    return absl::OkStatus();
  }

  void Shutdown() {
    if (draining_.exchange(true)) return;
    health_.Refresh();
    health_.Shutdown();
    if (grpc_ != nullptr) {
      grpc_->Shutdown(std::chrono::system_clock::now() +
                      absl::ToChronoMilliseconds(options_.shutdown_grace));
      grpc_->Wait();
    }
    work_.Join();  // a task that has answered may still be on its way out of the gRPC server
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      stop_.SignalAll();
    }
    if (poller_.joinable()) poller_.join();
  }

  int grpc_port() const { return grpc_port_; }
  int metrics_port() const { return http_ == nullptr ? 0 : http_->port(); }

 private:
  bool Ready() const { return !draining_.load() && bank_.snapshot() != nullptr; }

  HealthService::Status HealthOf(std::string_view service) const {
    if (service == "liveness") return HealthCheckResponse::SERVING;
    if (!service.empty() && service != "readiness" &&
        service != v1::RetrievalService::service_full_name()) {
      return HealthCheckResponse::SERVICE_UNKNOWN;
    }
    return Ready() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }

  absl::Status BindGrpc() {
    grpc::EnableDefaultHealthCheckService(false);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetLimits(options_.grpc, "memory3-retrieval", builder);
    std::vector<int> ports(options_.listen_addresses.size(), 0);
    for (size_t i = 0; i < ports.size(); ++i) {
      builder.AddListeningPort(options_.listen_addresses[i], grpc::InsecureServerCredentials(),
                               &ports[i]);
    }
    builder.RegisterService(&service_);
    builder.RegisterService(&health_);
    grpc_ = builder.BuildAndStart();
    for (size_t i = 0; i < ports.size(); ++i) {
      const std::string& address = options_.listen_addresses[i];
      if (grpc_ == nullptr || ports[i] == 0) {
        return absl::UnavailableError(
            absl::StrCat("--listen_address: cannot listen on '", address, "'"));
      }
      const bool unix_socket = absl::StartsWith(address, "unix:");
      if (i == 0 && !unix_socket) grpc_port_ = ports[i];
      log_.Info("listening", {{"service", "grpc"},
                              {"address", address},
                              {"port", unix_socket ? 0 : ports[i]},
                              {"version", kVersion}});
    }
    return absl::OkStatus();
  }

  absl::Status StartHttp() {
    if (options_.metrics_address.empty()) return absl::OkStatus();
    auto started = HttpEndpoint::Start(
        options_.metrics_address,
        {{"/metrics",
          [this] {
            return HttpReply{200, metrics_.Scrape(bank_.snapshot().get())};
          }},
         {"/healthz",
          [] {
            return HttpReply{200, "alive\n"};
          }},
         {"/readyz", [this] {
            return Ready() ? HttpReply{200, "ready\n"} : HttpReply{503, "not ready\n"};
          }}});
    if (!started.ok()) {
      return absl::Status(started.status().code(),
                          absl::StrCat("--metrics_address: ", started.status().message()));
    }
    http_ = *std::move(started);
    log_.Info(
        "listening",
        {{"service", "http"}, {"address", options_.metrics_address}, {"port", http_->port()}});
    return absl::OkStatus();
  }

  // What a poll finds wrong is logged and counted where it is found.
  void PollUntilStopped() {
    while (true) {
      bank_.Poll(/*again=*/false).IgnoreError();
      health_.Refresh();
      MutexLock lock(mutex_);
      if (!stopping_) stop_.WaitFor(mutex_, options_.poll_interval);
      if (stopping_) return;
    }
  }

  const RetrievalOptions options_;
  Logger& log_;
  RetrievalMetrics metrics_;
  BankFollower bank_;
  std::atomic<bool> draining_ = false;
  HealthService health_;
  RetrievalServiceImpl service_;
  WorkQueue work_;  // its threads run the service
  std::unique_ptr<HttpEndpoint> http_;
  std::unique_ptr<grpc::Server> grpc_;
  int grpc_port_ = 0;
  Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread poller_;
};

absl::StatusOr<std::unique_ptr<RetrievalServer>> RetrievalServer::Start(
    const RetrievalOptions& options, Logger& log) {
  auto impl = std::make_unique<Impl>(options, log);
  M3_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<RetrievalServer>(new RetrievalServer(std::move(impl)));
}

RetrievalServer::RetrievalServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RetrievalServer::~RetrievalServer() = default;
void RetrievalServer::Shutdown() { impl_->Shutdown(); }
int RetrievalServer::grpc_port() const { return impl_->grpc_port(); }
int RetrievalServer::metrics_port() const { return impl_->metrics_port(); }

}  // namespace memory3
