// memory3-retrieval: finds the memories nearest to a text, over gRPC, until it is told to stop.
#include <signal.h>

#include <cstdio>
#include <string>

#include "engine/base/flag_help.h"
#include "retrieval/service/flags.h"
#include "retrieval/service/retrieval_server.h"

namespace memory3 {
namespace {

constexpr char kUsage[] =
    R"(memory3-retrieval --bank=DIR [--taught=DIR] [--listen_address=HOST:PORT] [--flagfile=FILE] ...

Answers which references of a bank are nearest to a text, over gRPC (memory3.v1.RetrievalService), with health,
reflection and Prometheus metrics. A newer bank that takes the place of DIR, by rename or by turning a link, is
served without a restart; so is what is taught to memory3-server in the meantime.

SIGTERM or SIGINT: takes no new calls, lets those in progress end for --shutdown_grace, exits with 0. Exit
status 1: an address cannot be bound; 2: a flag is off. A missing or broken bank is waited for, not an error.

  memory3-retrieval --bank=banks/current --listen_address=unix:/run/memory3-retrieval.sock
)";

int Serve(const RetrievalOptions& options, const sigset_t& signals) {
  Logger log(stderr, options.log_format);
  const absl::StatusOr<std::unique_ptr<RetrievalServer>> server =
      RetrievalServer::Start(options, log);
  if (!server.ok()) {
    log.Error("cannot start", {{"error", server.status().message()}});
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  log.Info("draining", {{"grace_s", absl::ToDoubleSeconds(options.shutdown_grace)}});
  (*server)->Shutdown();
  log.Info("stopped");
  return 0;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"retrieval/service/flags.cc"}})) {
    return 0;
  }
  if (memory3::ParseFlagsOrExit(argc, argv).size() > 1) {
    std::fprintf(stderr, "memory3-retrieval: takes flags only; see --help\n");
    return 2;
  }
  const absl::StatusOr<memory3::RetrievalOptions> options = memory3::RetrievalOptionsFromFlags();
  if (!options.ok()) {
    std::fprintf(stderr, "memory3-retrieval: %s\n",
                 std::string(options.status().message()).c_str());
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // Before any thread starts, so that all inherit it: no code of ours runs inside a handler.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return memory3::Serve(*options, signals);
}
