#include "server/active_calls.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace memory3 {

bool ActiveCalls::TryAdd(std::shared_ptr<AbortableCall> call) {
  MutexLock lock(mutex_);
  if (calls_.size() >= max_calls_) return false;
  const AbortableCall* key = call.get();
  calls_.emplace(key, std::move(call));
  return true;
}

void ActiveCalls::Remove(const AbortableCall* call) {
  std::shared_ptr<AbortableCall> removed;  // destroyed after the lock is released
  MutexLock lock(mutex_);
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  removed = std::move(found->second);
  calls_.erase(found);
  if (calls_.empty()) none_left_.SignalAll();
}

void ActiveCalls::AbortAll(const absl::Status& status) {
  std::vector<std::shared_ptr<AbortableCall>> calls;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, call] : calls_) calls.push_back(call);
  }
  for (const std::shared_ptr<AbortableCall>& call : calls) call->Abort(status);
}

bool ActiveCalls::AwaitNone(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (!calls_.empty()) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    none_left_.WaitFor(mutex_, left);
  }
  return true;
}

}  // namespace memory3
