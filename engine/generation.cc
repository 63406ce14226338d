#include "engine/generation.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace memory3 {
namespace {

constexpr size_t kFirstRingEvents = 8;

}  // namespace

GenerationStream::GenerationStream(int max_events) : max_events_(max_events) {
  M3_CHECK(max_events > 0);
}

void GenerationStream::Append(GenerationEvent event) {
  if (count_ == ring_.size()) {
    std::vector<GenerationEvent> larger(
        std::min(max_events_, std::max(kFirstRingEvents, 2 * ring_.size())));
    for (size_t i = 0; i < count_; ++i) larger[i] = std::move(ring_[(head_ + i) % ring_.size()]);
    ring_ = std::move(larger);
    head_ = 0;
  }
  ring_[(head_ + count_) % ring_.size()] = std::move(event);
  ++count_;
}

GenerationEvent GenerationStream::Take() {
  if (count_ == 0) return *std::exchange(last_, std::nullopt);
  GenerationEvent event = std::move(ring_[head_]);
  head_ = (head_ + 1) % ring_.size();
  --count_;
  return event;
}

bool GenerationStream::Push(GenerationEvent event) {
  MutexLock callback_lock(callback_mutex_);
  bool was_empty = false;
  {
    MutexLock lock(mutex_);
    M3_CHECK(!final_status_.has_value());
    if (count_ == max_events_) return false;
    was_empty = !HasEvent();
    Append(std::move(event));
    arrived_.Signal();
  }
  if (was_empty && on_ready_) on_ready_();
  return true;
}

void GenerationStream::Close(GenerationEvent last) {
  M3_CHECK(last.last());
  MutexLock callback_lock(callback_mutex_);
  {
    MutexLock lock(mutex_);
    M3_CHECK(!final_status_.has_value());
    final_status_ = last.status;
    last_ = std::move(last);
    arrived_.Signal();
  }
  // Always: a reader whose buffer was never empty must learn of its end too.
  if (on_ready_) on_ready_();
}

std::optional<absl::Status> GenerationStream::final_status() const {
  MutexLock lock(mutex_);
  return final_status_;
}

std::optional<GenerationEvent> GenerationStream::TryNext() {
  MutexLock lock(mutex_);
  if (!HasEvent()) return std::nullopt;
  return Take();
}

std::optional<GenerationEvent> GenerationStream::Next() {
  MutexLock lock(mutex_);
  while (!HasEvent() && !final_status_.has_value()) arrived_.Wait(mutex_);
  if (!HasEvent()) return std::nullopt;
  return Take();
}

void GenerationStream::SetOnReady(absl::AnyInvocable<void()> on_ready) {
  MutexLock callback_lock(callback_mutex_);
  on_ready_ = std::move(on_ready);
  bool has_event = false;
  {
    MutexLock lock(mutex_);
    has_event = HasEvent();
  }
  if (has_event && on_ready_) on_ready_();
}

}  // namespace memory3
