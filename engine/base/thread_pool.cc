#include "engine/base/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

#include <chrono>

#include "engine/base/check.h"

namespace memory3 {
namespace {

// Back-to-back loops of a step follow each other within microseconds; a sleeping worker would cost
// more than that to wake.
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr int kPollsPerClockRead = 64;

// Spins until ready() or the spin time is over; true when ready.
template <typename Ready>
bool Spin(Ready ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPollsPerClockRead; ++i) {
      if (ready()) return true;
      _mm_pause();
    }
    // With more runnable threads than cores, the one waited for may need this core.
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

class ThreadPool::Impl {
 public:
  explicit Impl(int threads) : parts_(threads) {
    for (int part = 1; part < threads; ++part) {
      workers_.emplace_back([this, part] { Work(part); });
    }
  }

  ~Impl() {
    stopping_.store(true, std::memory_order_relaxed);
    StartRound();
    for (std::thread& worker : workers_) worker.join();
  }

  void Run(absl::FunctionRef<void(int, int)> body) {
    M3_CHECK(body_ == nullptr);  // no nested or concurrent loops
    body_ = &body;
    unfinished_.store(parts_ - 1, std::memory_order_relaxed);
    StartRound();
    body(0, parts_);
    while (!Spin([&] { return unfinished_.load(std::memory_order_acquire) == 0; })) {
      const int left = unfinished_.load(std::memory_order_acquire);
      if (left != 0) unfinished_.wait(left, std::memory_order_acquire);
    }
    body_ = nullptr;
  }

 private:
  void StartRound() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  void Work(int part) {
    uint32_t seen = 0;
    while (true) {
      const bool started = Spin([&] { return round_.load(std::memory_order_acquire) != seen; });
      if (!started) round_.wait(seen, std::memory_order_acquire);
      seen = round_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_relaxed)) return;
      (*body_)(part, parts_);
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    }
  }

  const int parts_;
  const absl::FunctionRef<void(int, int)>* body_ = nullptr;  // published by round_
  std::atomic<uint32_t> round_{0};
  std::atomic<int> unfinished_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

ThreadPool::ThreadPool(int threads) : threads_(threads) {
  M3_CHECK(threads >= 1);
  if (threads > 1) impl_ = std::make_unique<Impl>(threads);
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::Run(absl::FunctionRef<void(int part, int parts)> body) {
  if (impl_ == nullptr) {
    body(0, 1);
  } else {
    impl_->Run(body);
  }
}

Range ShareOf(int64_t count, int part, int parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

}  // namespace memory3
