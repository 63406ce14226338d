// The whole sidecar: gRPC, metrics, the bank it follows. Used by main and, in process, by tests.
//
//   M3_ASSIGN_OR_RETURN(std::unique_ptr<RetrievalServer> server,
//                       RetrievalServer::Start(options, log));
//   ...
//   server->Shutdown();
//
// Ports are bound before the bank is opened; the server is ready once there is one, whenever that
// is. Thread-safe but for destruction.
#ifndef MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVER_H_
#define MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/log.h"
#include "retrieval/service/options.h"

namespace memory3 {

class RetrievalServer {
 public:
  // `log` must outlive the server. InvalidArgument or Unavailable naming the address that cannot be
  // bound. A bank that is missing or broken is no error: it is looked for again and again.
  static absl::StatusOr<std::unique_ptr<RetrievalServer>> Start(const RetrievalOptions& options,
                                                                Logger& log);
  ~RetrievalServer();  // Shutdown
  RetrievalServer(const RetrievalServer&) = delete;
  RetrievalServer& operator=(const RetrievalServer&) = delete;

  // Unready at once; takes no new calls, lets those in progress end for options.shutdown_grace,
  // then ends them.
  void Shutdown();

  int grpc_port() const;     // of the first listen address; 0 for a Unix socket
  int metrics_port() const;  // 0: off

 private:
  class Impl;
  explicit RetrievalServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_SERVER_H_
