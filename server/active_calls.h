// The chat calls in progress: bounds their number, and ends those that outlive a shutdown's grace.
// Thread-safe.
#ifndef MEMORY3_SERVER_ACTIVE_CALLS_H_
#define MEMORY3_SERVER_ACTIVE_CALLS_H_

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"

namespace memory3 {

class AbortableCall {
 public:
  virtual ~AbortableCall() = default;
  // Ends the call with `status` soon; nothing when it has ended.
  virtual void Abort(const absl::Status& status) = 0;
};

class ActiveCalls {
 public:
  explicit ActiveCalls(int max_calls) : max_calls_(max_calls) {}

  // False when max_calls are in progress already.
  [[nodiscard]] bool TryAdd(std::shared_ptr<AbortableCall> call);
  void Remove(const AbortableCall* call);

  void AbortAll(const absl::Status& status);
  // False when calls remain after `timeout`.
  bool AwaitNone(absl::Duration timeout);

 private:
  const size_t max_calls_;
  Mutex mutex_;
  CondVar none_left_;
  absl::flat_hash_map<const AbortableCall*, std::shared_ptr<AbortableCall>> calls_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_ACTIVE_CALLS_H_
