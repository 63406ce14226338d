// grpc.health.v1.Health, answered from ServingState's atomics.
//
// "", "readiness" and the services' names are SERVING once the model is warm and until the server
// drains. "liveness" is NOT_SERVING only while a step is stuck, so that a busy or draining server
// is not restarted.
#ifndef MEMORY3_SERVER_HEALTH_SERVICE_H_
#define MEMORY3_SERVER_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "engine/base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/serving_state.h"

namespace memory3 {

inline constexpr int kMaxHealthWatchers = 256;

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // `state` must outlive the service.
  explicit HealthService(const ServingState& state) : state_(state) {}

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

  // SERVICE_UNKNOWN for a name that is not served.
  Status StatusOf(std::string_view service) const;

 private:
  class Watcher;
  void Remove(Watcher* watcher);

  const ServingState& state_;
  Mutex mutex_;
  absl::flat_hash_set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_HEALTH_SERVICE_H_
