// Delivers callbacks as a test wants them: at once, when told to, or after random delays on a
// thread of its own.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_COURIER_H_
#define MEMORY3_TESTS_UNIT_ENGINE_COURIER_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engine/base/mutex.h"

namespace memory3 {

// Thread-safe.
class Courier {
 public:
  using Parcel = absl::AnyInvocable<void()>;

  // max_delay_us > 0: delivers on a thread, each parcel up to so much later, in random order.
  explicit Courier(int max_delay_us = 0, uint32_t seed = 1)
      : max_delay_us_(max_delay_us), random_(seed) {
    if (max_delay_us > 0) thread_ = std::thread([this] { Work(); });
  }
  ~Courier() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.SignalAll();
    }
    if (thread_.joinable()) thread_.join();
    Release();
  }

  // From now on parcels are kept until Release, or lost with Lose.
  void Hold() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  void StopHolding() {
    {
      MutexLock lock(mutex_);
      holding_ = false;
    }
    Release();
  }
  void Release() {
    for (Parcel& parcel : TakeAll()) parcel();
  }
  // They never come.
  void Lose() { TakeAll(); }
  int held() const {
    MutexLock lock(mutex_);
    return static_cast<int>(parcels_.size());
  }

  void Deliver(Parcel parcel) {
    {
      MutexLock lock(mutex_);
      if (holding_ || max_delay_us_ > 0) {
        parcels_.push_back(std::move(parcel));
        changed_.SignalAll();
        return;
      }
    }
    parcel();
  }

 private:
  std::deque<Parcel> TakeAll() {
    MutexLock lock(mutex_);
    return std::exchange(parcels_, {});
  }

  void Work() {
    while (true) {
      Parcel parcel;
      int delay_us = 0;
      {
        MutexLock lock(mutex_);
        while (parcels_.empty() && !stopping_) changed_.Wait(mutex_);
        if (stopping_) return;
        const size_t which = random_() % parcels_.size();
        parcel = std::move(parcels_[which]);
        parcels_.erase(parcels_.begin() + which);
        delay_us = random_() % 4 == 0 ? static_cast<int>(random_() % max_delay_us_) : 0;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
      parcel();
    }
  }

  const int max_delay_us_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::mt19937 random_ ABSL_GUARDED_BY(mutex_);
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Parcel> parcels_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_COURIER_H_
