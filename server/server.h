// The whole service: gRPC, metrics, one model. Used by main and, in process, by tests.
//
//   M3_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Start(options, log));
//   M3_RETURN_IF_ERROR(server->LoadModel());
//   ...
//   server->BeginDrain();
//   server->AwaitIdle(grace);
//   server.reset();  // aborts what is left
//
// Ports are bound first, so that an address in use is found before gigabytes are read, and health
// answers from the first moment. Thread-safe but for LoadModel (once) and destruction (after every
// other call has returned).
#ifndef MEMORY3_SERVER_SERVER_H_
#define MEMORY3_SERVER_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/options.h"

namespace memory3 {

class Server {
 public:
  // `log` must outlive the server. InvalidArgument or Unavailable naming the address that cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, Logger& log);
  // Ends what still runs with Unavailable. Takes two seconds where a client does not take that in.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Loads and warms up; afterwards the server is ready.
  absl::Status LoadModel();

  // Not ready from now on; new requests are refused, what was taken goes on.
  void BeginDrain();
  // True when no chat call is in progress; waits at most `timeout`.
  bool AwaitIdle(absl::Duration timeout);

  // To be called about once a second: tells health watchers of a stuck or recovered engine.
  void Tick();

  int grpc_port() const;     // of the first listen address; 0 for a Unix socket
  int metrics_port() const;  // 0: off

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_SERVER_H_
