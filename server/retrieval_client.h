// The engine's Retriever over gRPC: asks the retrieval sidecar, and knows when not to.
#ifndef MEMORY3_SERVER_RETRIEVAL_CLIENT_H_
#define MEMORY3_SERVER_RETRIEVAL_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/memory/retriever.h"
#include "memory3/v1/retrieval.grpc.pb.h"
#include "server/circuit_breaker.h"

namespace memory3 {

// Thread-safe. The sidecar need not be there: calls then end with Unavailable, and work again
// within a second of its return.
class RetrievalClient : public Retriever {
 public:
  // Calls in flight at once; further ones end with ResourceExhausted.
  static constexpr int kMaxCalls = 256;

  // target: HOST:PORT or unix:PATH. limit: memories per query. `clock` may be null: the real one.
  RetrievalClient(const std::string& target, int limit, uint64_t seed, Clock* clock);
  // Cancels what is in flight and waits until its callbacks have run.
  ~RetrievalClient() override;

  void Retrieve(std::vector<std::string> queries, absl::Duration timeout, Done done) override;

  // Waits for the sidecar to have taken up what was taught or deleted.
  absl::Status Refresh(absl::Duration timeout);

  const CircuitBreaker& breaker() const { return breaker_; }

 private:
  struct Call;
  // Whether the call may be made; if so it counts as in flight.
  absl::Status Take(Call* call);
  void Finish(Call* call, const grpc::Status& status);

  const int limit_;
  RealClock real_clock_;
  Clock& clock_;
  CircuitBreaker breaker_;
  std::unique_ptr<v1::RetrievalService::Stub> stub_;
  Mutex mutex_;
  CondVar emptied_;
  absl::flat_hash_set<Call*> calls_ ABSL_GUARDED_BY(mutex_);
  int finishing_ ABSL_GUARDED_BY(mutex_) = 0;  // calls whose callbacks run
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_RETRIEVAL_CLIENT_H_
