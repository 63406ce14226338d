// memory3-server: serves one model over gRPC until it is told to stop.
#include <google/protobuf/stubs/logging.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <future>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/base/flag_help.h"
#include "server/flags.h"
#include "server/server.h"

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-server --model_dir=DIR [--listen_address=HOST:PORT] [--flagfile=FILE] ...

Serves the model of a Hugging Face folder over gRPC (memory3.v1.ChatService and friends), with health,
reflection and Prometheus metrics. Flags can be kept in a file, one a line: --flagfile=FILE.

SIGTERM or SIGINT: takes no new requests, lets streams end for --shutdown_grace, exits with 0. A second one
exits at once. Exit status 1: the model cannot be served, or an address cannot be bound; 2: a flag is off.

  memory3-server --model_dir=models/Llama-3.2-1B-Instruct
  memory3-server --model_dir=models/tiny --listen_address=unix:/run/memory3.sock --metrics_address=
)";

constexpr absl::Duration kPoll = absl::Milliseconds(200);

// Waits for SIGTERM or SIGINT, which are blocked in every thread: no code of ours runs inside a
// handler.
bool SignalArrived(const sigset_t& signals, absl::Duration timeout) {
  const timespec time = absl::ToTimespec(timeout);
  return sigtimedwait(&signals, nullptr, &time) > 0;
}

void Drain(Server& server, const ServerOptions& options, const sigset_t& signals, Logger& log) {
  log.Info("draining", {{"grace_s", absl::ToDoubleSeconds(options.shutdown_grace)}});
  server.BeginDrain();
  const absl::Time end = absl::Now() + options.shutdown_grace;
  while (!server.AwaitIdle(absl::ZeroDuration()) && absl::Now() < end) {
    if (SignalArrived(signals, kPoll)) {
      log.Warning("second signal: exiting at once");
      std::_Exit(1);
    }
    server.Tick();
  }
}

int Serve(const ServerOptions& options, const sigset_t& signals) {
  Logger log(stderr, options.log_format);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, log);
  if (!server.ok()) {
    log.Error("cannot start", {{"error", server.status().message()}});
    return 1;
  }
  std::future<absl::Status> loading =
      std::async(std::launch::async, [&] { return (*server)->LoadModel(); });
  while (loading.wait_for(absl::ToChronoMilliseconds(kPoll)) != std::future_status::ready) {
    if (SignalArrived(signals, absl::ZeroDuration())) {
      log.Info("stopped while loading");
      std::_Exit(0);  // nothing was taken yet, and loading cannot be interrupted
    }
  }
  if (const absl::Status loaded = loading.get(); !loaded.ok()) {
    log.Error("cannot serve the model", {{"error", loaded.message()}});
    return 1;
  }
  while (!SignalArrived(signals, absl::Seconds(1))) (*server)->Tick();
  Drain(**server, options, signals, log);
  server->reset();
  log.Info("stopped");
  return 0;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"server/flags.cc"}})) return 0;
  if (memory3::ParseFlagsOrExit(argc, argv).size() > 1) {
    std::fprintf(stderr, "memory3-server: takes flags only; see --help\n");
    return 2;
  }
  const absl::StatusOr<memory3::ServerOptions> options = memory3::OptionsFromFlags();
  if (!options.ok()) {
    std::fprintf(stderr, "memory3-server: %s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  // It would complain about refused requests, past the log, which has them anyway.
  google::protobuf::SetLogHandler(nullptr);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals,
                  nullptr);  // before any thread starts, so that all inherit it
  return memory3::Serve(*options, signals);
}
