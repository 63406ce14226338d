#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/health_service.h"
#include "common/http_endpoint.h"
#include "common/port_file.h"
#include "common/version.h"
#include "engine/base/status_macros.h"
#include "server/bank_service.h"
#include "server/front.h"
#include "server/model_loader.h"
#include "server/services.h"

namespace memory3 {
namespace {

using grpc::health::v1::HealthCheckResponse;

// Requests that wait to be parsed; each is at most max_request_bytes.
constexpr int kMaxPendingRequests = 256;
// How long a client may take to learn that its call is aborted, before its connection is closed.
constexpr absl::Duration kAbortTime = absl::Seconds(2);

HealthService::Status HealthOf(const ServingState& state, std::string_view service) {
  bool serving = false;
  if (service == "liveness") {
    serving = state.Live(absl::Now());
  } else if (service.empty() || service == "readiness" ||
             service == v1::ChatService::service_full_name() ||
             service == v1::ModelService::service_full_name() ||
             service == v1::TokenizerService::service_full_name()) {
    serving = state.Ready();
  } else {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

// Members are declared in the order in which they are built; what uses another is destroyed before
// it.
class Server::Impl {
 public:
  Impl(const ServerOptions& options, Logger& log)
      : options_(options),
        log_(log),
        state_(options.stuck_after),
        metrics_(state_),
        calls_(options.max_active_calls),
        work_(options.request_threads, kMaxPendingRequests),
        front_{&state_, &work_, &dispatcher_, &calls_, &metrics_, &random_, &log_},
        chat_(front_),
        bank_service_(front_),
        model_service_(front_),
        tokenizer_(front_),
        health_([this](std::string_view service) { return HealthOf(state_, service); }) {}

  ~Impl() {
    BeginDrain();
    calls_.AbortAll(absl::UnavailableError("the server is shutting down"));
    health_.Shutdown();
    if (grpc_ != nullptr) {
      grpc_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kAbortTime));
      grpc_->Wait();
    }
    work_.Join();  // a task that has answered may still be on its way out of the gRPC server
  }

  absl::Status Bind() {
    grpc::EnableDefaultHealthCheckService(false);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetLimits(options_.grpc, "memory3-server", builder);
    std::vector<int> ports(options_.listen_addresses.size(), 0);
    for (size_t i = 0; i < ports.size(); ++i) {
      builder.AddListeningPort(options_.listen_addresses[i], grpc::InsecureServerCredentials(),
                               &ports[i]);
    }
    for (grpc::Service* service :
         {static_cast<grpc::Service*>(&chat_), static_cast<grpc::Service*>(&model_service_),
          static_cast<grpc::Service*>(&bank_service_), static_cast<grpc::Service*>(&tokenizer_),
          static_cast<grpc::Service*>(&health_)}) {
      builder.RegisterService(service);
    }
    grpc_ = builder.BuildAndStart();
    for (size_t i = 0; i < ports.size(); ++i) {
      if (grpc_ != nullptr && ports[i] != 0) continue;
      return absl::UnavailableError(
          absl::StrCat("--listen_address: cannot listen on '", options_.listen_addresses[i], "'"));
    }
    for (size_t i = 0; i < ports.size(); ++i) {
      const bool unix_socket = absl::StartsWith(options_.listen_addresses[i], "unix:");
      if (i == 0 && !unix_socket) grpc_port_ = ports[i];
      log_.Info("listening", {{"service", "grpc"},
                              {"address", options_.listen_addresses[i]},
                              {"port", unix_socket ? 0 : ports[i]}});
    }
    M3_RETURN_IF_ERROR(StartHttp());
    return options_.port_file.empty() ? absl::OkStatus()
                                      : WritePortFile(options_.port_file, grpc_port_);
  }

  absl::Status LoadModel() {
    const absl::Time begin = absl::Now();
    log_.Info("loading", {{"model_dir", options_.model_dir.string()}});
    M3_ASSIGN_OR_RETURN(model_, LoadServedModel(options_, &metrics_));
    M3_RETURN_IF_ERROR(WarmUp(*model_));
    metrics_.SetModel(*model_);
    metrics_.SetRecording(true);
    state_.SetServing(model_.get());
    health_.Refresh();
    if (model_->memory != nullptr) model_->memory->WatchBank(log_);
    LogSummary(absl::Now() - begin);
    return absl::OkStatus();
  }

  void BeginDrain() {
    state_.SetDraining();
    health_.Refresh();
  }

  bool AwaitIdle(absl::Duration timeout) { return calls_.AwaitNone(timeout); }
  void Tick() { health_.Refresh(); }
  int grpc_port() const { return grpc_port_; }
  int metrics_port() const { return http_ == nullptr ? 0 : http_->port(); }

 private:
  absl::Status StartHttp() {
    if (options_.metrics_address.empty()) return absl::OkStatus();
    const auto answer = [](bool good, const char* yes, const char* no) {
      return good ? HttpReply{200, absl::StrCat(yes, "\n")}
                  : HttpReply{503, absl::StrCat(no, "\n")};
    };
    auto started = HttpEndpoint::Start(
        options_.metrics_address,
        {{"/metrics",
          [this] {
            return HttpReply{200, metrics_.Scrape()};
          }},
         {"/healthz",
          [this, answer] { return answer(state_.Live(absl::Now()), "alive", "not alive"); }},
         {"/readyz", [this, answer] { return answer(state_.Ready(), "ready", "not ready"); }}});
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

  void LogSummary(absl::Duration load_time) {
    const RunnerInfo& info = model_->engine->runner_info();
    log_.Info("ready", {{"version", kVersion},
                        {"model", model_->context.model_names.front()},
                        {"architecture", model_->config.architecture},
                        {"parameters", model_->parameters},
                        {"device", info.device},
                        {"weight_bytes", info.weight_bytes},
                        {"chat_template", model_->chat_template.has_value() ? "yes" : "no"},
                        {"max_context", info.max_context},
                        {"max_sequences", info.max_sequences},
                        {"max_batch_tokens", options_.max_batch_tokens},
                        {"kv_cache_tokens", int64_t{info.kv_blocks} * info.kv_block_tokens},
                        {"kv_cache_bytes",
                         int64_t{info.kv_blocks} * info.kv_block_tokens * info.kv_bytes_per_token},
                        {"max_queued_requests", options_.max_queued_requests},
                        {"grpc_port", grpc_port_},
                        {"metrics_port", metrics_port()},
                        {"load_s", absl::ToDoubleSeconds(load_time)}});
    if (!info.memory_plan.empty()) log_.Info("device memory", {{"plan", info.memory_plan}});
    if (model_->memory != nullptr) LogMemory(*model_->memory);
  }

  void LogMemory(const ServedMemory& memory) {
    const std::shared_ptr<const Bank> bank = memory.store().bank();
    log_.Info("memory",
              {{"bank", bank->dir().string()},
               {"epoch", static_cast<int64_t>(bank->manifest().epoch)},
               {"references", bank->count()},
               {"record_bytes", bank->manifest().record_bytes},
               {"slots", model_->engine->runner_info().memory.slots},
               {"taught", memory.taught() == nullptr ? int64_t{-1} : memory.taught()->taught()},
               {"policy", !options_.memory.used_by_default                          ? "off"
                          : options_.memory.default_policy == MemoryPolicy::kStrict ? "strict"
                                                                                    : "deadline"},
               {"lead_tokens", options_.memory.lead_tokens},
               {"retrieval_target", options_.memory.retrieval_target},
               {"reader", memory.reader_summary()}});
  }

  const ServerOptions options_;
  Logger& log_;
  RandomSource random_;
  ServingState state_;
  ServerMetrics metrics_;
  ActiveCalls calls_;
  std::unique_ptr<ServedModel> model_;
  Dispatcher dispatcher_;
  WorkQueue work_;
  const Front front_;
  ChatServiceImpl chat_;
  BankServiceImpl bank_service_;
  ModelServiceImpl model_service_;
  TokenizerServiceImpl tokenizer_;
  HealthService health_;
  std::unique_ptr<HttpEndpoint> http_;
  std::unique_ptr<grpc::Server> grpc_;
  int grpc_port_ = 0;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Logger& log) {
  auto impl = std::make_unique<Impl>(options, log);
  M3_RETURN_IF_ERROR(impl->Bind());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
absl::Status Server::LoadModel() { return impl_->LoadModel(); }
void Server::BeginDrain() { impl_->BeginDrain(); }
bool Server::AwaitIdle(absl::Duration timeout) { return impl_->AwaitIdle(timeout); }
void Server::Tick() { impl_->Tick(); }
int Server::grpc_port() const { return impl_->grpc_port(); }
int Server::metrics_port() const { return impl_->metrics_port(); }

}  // namespace memory3
