#include "engine/inbox.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"

namespace memory3 {

Inbox::Inbox(int max_requests, int64_t max_prompt_tokens, int max_encodes)
    : max_requests_(max_requests),
      max_prompt_tokens_(max_prompt_tokens),
      arrived_(max_requests),
      arrived_encodes_(max_encodes) {}

absl::Status Inbox::Submit(std::unique_ptr<Sequence> sequence) {
  MutexLock lock(mutex_);
  if (draining()) return absl::UnavailableError("the engine is shutting down");
  const int prompt_tokens = sequence->prompt_tokens();
  if (queued() >= max_requests_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: ", max_requests_, " requests are waiting"));
  }
  if (queued_prompt_tokens_ + prompt_tokens > max_prompt_tokens_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: with this prompt's ", prompt_tokens, " more than ",
                     max_prompt_tokens_, " prompt tokens would wait"));
  }
  live_.emplace(sequence->id, sequence->cancel);
  queued_prompt_tokens_ += prompt_tokens;
  queued_.store(queued() + 1, std::memory_order_relaxed);
  // What arrived is part of what is queued, so there is room.
  M3_CHECK(arrived_.TryPush(std::move(sequence)));
  return absl::OkStatus();
}

absl::Status Inbox::SubmitEncode(EncodeJob job) {
  MutexLock lock(mutex_);
  if (draining()) return absl::UnavailableError("the engine is shutting down");
  if (live_encodes_ >= arrived_encodes_.limit()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the queue is full: ", arrived_encodes_.limit(), " calls wait for their references"));
  }
  ++live_encodes_;
  M3_CHECK(arrived_encodes_.TryPush(std::move(job)));
  return absl::OkStatus();
}

bool Inbox::Cancel(RequestId id) {
  MutexLock lock(mutex_);
  const auto found = live_.find(id);
  if (found == live_.end()) return false;
  found->second->set.store(true, std::memory_order_relaxed);
  return true;
}

void Inbox::StopAdmitting() {
  MutexLock lock(mutex_);
  draining_.store(true, std::memory_order_relaxed);
}

bool Inbox::AwaitEmpty(absl::Duration timeout) {
  const RealClock clock;
  const absl::Duration end = clock.Steady() + timeout;
  MutexLock lock(mutex_);
  while (!live_.empty() || live_encodes_ > 0) {
    const absl::Duration left = end - clock.Steady();
    if (left <= absl::ZeroDuration()) return false;
    emptied_.WaitFor(mutex_, left);
  }
  return true;
}

void Inbox::LeaveQueue(int prompt_tokens) {
  MutexLock lock(mutex_);
  queued_.store(queued() - 1, std::memory_order_relaxed);
  queued_prompt_tokens_ -= prompt_tokens;
}

void Inbox::Forget(RequestId id) {
  MutexLock lock(mutex_);
  live_.erase(id);
  if (live_.empty()) emptied_.SignalAll();
}

void Inbox::EncodeEnded() {
  MutexLock lock(mutex_);
  if (--live_encodes_ == 0) emptied_.SignalAll();
}

}  // namespace memory3
