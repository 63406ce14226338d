// grpc.health.v1.Health over a function that says how a service is.
//
// "", "readiness" and the services' names should be SERVING while the process is ready for
// requests; "liveness" NOT_SERVING only while it is stuck, so that a busy or draining one is not
// restarted.
#ifndef MEMORY3_COMMON_HEALTH_SERVICE_H_
#define MEMORY3_COMMON_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "engine/base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace memory3 {

inline constexpr int kMaxHealthWatchers = 256;

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // `status_of` answers at once, on any thread: SERVICE_UNKNOWN for a name that is not served.
  using Lookup = std::function<Status(std::string_view service)>;
  explicit HealthService(Lookup status_of) : status_of_(std::move(status_of)) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

  // Tells the watchers when what they watch has changed. To be called when the state changes and
  // every second or so, for liveness.
  void Refresh();
  // Ends every watch; no new ones from now on. Before the gRPC server shuts down.
  void Shutdown();

 private:
  class Watcher;
  void Remove(Watcher* watcher);

  const Lookup status_of_;
  Mutex mutex_;
  absl::flat_hash_set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace memory3

#endif  // MEMORY3_COMMON_HEALTH_SERVICE_H_
