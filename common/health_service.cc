#include "common/health_service.h"

#include <utility>

namespace memory3 {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One open watch. The service's set holds it until OnDone, under the service's lock; so a watcher
// found in the set is alive.
class HealthService::Watcher : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService& service, std::string name) : service_(service), name_(std::move(name)) {}

  // Writes the status if it is news and no write is under way; OnWriteDone looks again.
  void Update() {
    const Status now = service_.status_of_(name_);
    {
      MutexLock lock(mutex_);
      if (writing_ || finished_ || (written_ && response_.status() == now)) return;
      response_.set_status(now);
      writing_ = written_ = true;
    }
    StartWrite(&response_);
  }

  void End(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      if (std::exchange(finished_, true)) return;
    }
    Finish(status);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      writing_ = false;
    }
    if (!ok) return End(grpc::Status::CANCELLED);
    Update();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    service_.Remove(this);
    delete this;
  }

 private:
  HealthService& service_;
  const std::string name_;
  Mutex mutex_;
  HealthCheckResponse response_;  // not touched while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool written_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context,
                                               const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Status status = status_of_(request->service());
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service"));
  } else {
    response->set_status(status);
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request) {
  auto* watcher = new Watcher(*this, request->service());  // deleted by OnDone
  bool full = false;
  bool shut_down = false;
  {
    MutexLock lock(mutex_);
    full = watchers_.size() >= kMaxHealthWatchers;
    shut_down = shut_down_;
    if (!full && !shut_down) watchers_.insert(watcher);
  }
  if (shut_down) {
    watcher->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
  } else if (full) {
    watcher->End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many health watchers"));
  } else {
    watcher->Update();
  }
  return watcher;
}

void HealthService::Refresh() {
  MutexLock lock(mutex_);
  for (Watcher* watcher : watchers_) watcher->Update();
}

void HealthService::Shutdown() {
  MutexLock lock(mutex_);
  shut_down_ = true;
  for (Watcher* watcher : watchers_) {
    watcher->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
  }
}

void HealthService::Remove(Watcher* watcher) {
  MutexLock lock(mutex_);
  watchers_.erase(watcher);
}

}  // namespace memory3
