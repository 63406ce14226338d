#include "engine/cuda/host/executor.h"

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/check.h"
#include "engine/cuda/host/thread_copies.h"

namespace memory3::cuda::host {
namespace {

using boost::context::fiber;

constexpr uint32_t kWarp = 32;
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kSharedAlignment = 128;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "kernel executor: %s\n", what);
  std::abort();
}

enum class State : uint8_t { kReady, kAtWarpBarrier, kAtBlockBarrier, kDone };

// One thread of a block. Its fiber outlives blocks and kernels: it takes the next body when it is
// resumed after having been done.
struct Thread {
  State state = State::kDone;
  bool has_waited = false;  // for the kernel before
  ThreadContext context;
  ThreadCopies copies;
  fiber self;    // to resume it
  fiber caller;  // to yield to
};

class Executor {
 public:
  void Run(const Shape& shape, absl::FunctionRef<void()> body) {
    M3_CHECK(running_ == nullptr);  // a kernel does not launch a kernel
    body_ = &body;
    GrowTo(shape.threads);
    shared_ = AlignedBuffer(std::max(shape.shared_bytes, 1), kSharedAlignment);
    std::vector<uint64_t> blocks(uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z);
    std::iota(blocks.begin(), blocks.end(), 0);
    std::shuffle(blocks.begin(), blocks.end(), random_);
    for (const uint64_t block : blocks) RunBlock(shape, block);
    body_ = nullptr;
  }

  Thread& running() { return *running_; }

  // Gives way to the other threads until the barrier is passed.
  void Yield(State state) {
    Thread& thread = *running_;
    thread.state = state;
    thread.caller = std::move(thread.caller).resume();
  }

  uint8_t* exchange(uint32_t warp, uint32_t lane) {
    return exchange_.data() + (warp * kWarp + lane) * kMaxExchange;
  }
  uint32_t block_threads() const { return block_threads_; }

 private:
  void GrowTo(uint32_t threads) {
    while (threads_.size() < threads) {
      Thread& thread = threads_.emplace_back();
      thread.self = fiber(std::allocator_arg, boost::context::fixedsize_stack(kStackBytes),
                          [this, &thread](fiber&& caller) {
                            thread.caller = std::move(caller);
                            while (true) {
                              (*body_)();
                              Yield(State::kDone);
                            }
                            return std::move(thread.caller);
                          });
    }
    exchange_.resize(((threads + kWarp - 1) / kWarp) * kWarp * kMaxExchange);
  }

  void RunBlock(const Shape& shape, uint64_t block) {
    block_threads_ = shape.threads;
    // All bits set is NaN as float and as bf16.
    std::memset(shared_.data(), 0xFF, shape.shared_bytes);
    const Index3 index = {static_cast<uint32_t>(block % shape.grid.x),
                          static_cast<uint32_t>(block / shape.grid.x % shape.grid.y),
                          static_cast<uint32_t>(block / shape.grid.x / shape.grid.y)};
    for (uint32_t i = 0; i < shape.threads; ++i) {
      threads_[i].state = State::kReady;
      threads_[i].copies = {};
      threads_[i].has_waited = false;
      threads_[i].context = {{i, 0, 0}, index, {shape.threads, 1, 1}, shape.grid, shared_.data()};
    }
    std::vector<uint32_t> warps((shape.threads + kWarp - 1) / kWarp);
    std::iota(warps.begin(), warps.end(), 0);
    while (true) {
      std::shuffle(warps.begin(), warps.end(), random_);
      for (const uint32_t warp : warps) RunWarp(warp);
      if (!PassBlockBarrier()) break;
    }
    for (uint32_t i = 0; i < shape.threads && shape.must_wait; ++i) {
      if (!threads_[i].has_waited) Fail("a kernel that may overlap does not wait");
    }
  }

  // Until every lane waits at the block's barrier or is done.
  void RunWarp(uint32_t warp) {
    const uint32_t begin = warp * kWarp;
    const uint32_t end = std::min(begin + kWarp, block_threads_);
    std::vector<uint32_t> lanes(end - begin);
    std::iota(lanes.begin(), lanes.end(), begin);
    while (true) {
      std::shuffle(lanes.begin(), lanes.end(), random_);
      for (const uint32_t lane : lanes) {
        if (threads_[lane].state == State::kReady) Resume(threads_[lane]);
      }
      const auto waiting = std::count_if(lanes.begin(), lanes.end(), [&](uint32_t lane) {
        return threads_[lane].state == State::kAtWarpBarrier;
      });
      if (waiting == 0) return;
      if (waiting != std::ssize(lanes)) Fail("not all lanes of a warp reach a warp function");
      for (const uint32_t lane : lanes) threads_[lane].state = State::kReady;
    }
  }

  void Resume(Thread& thread) {
    running_ = &thread;
    thread.self = std::move(thread.self).resume();
    running_ = nullptr;
  }

  // False when the block is done. Threads that have ended count as arrived, as on the device.
  bool PassBlockBarrier() {
    bool passed = false;
    for (uint32_t i = 0; i < block_threads_; ++i) {
      if (threads_[i].state != State::kAtBlockBarrier) continue;
      threads_[i].state = State::kReady;
      passed = true;
    }
    return passed;
  }

  std::mt19937_64 random_{1};
  std::deque<Thread> threads_;  // grows, never moves
  std::vector<uint8_t> exchange_;
  AlignedBuffer shared_;
  absl::FunctionRef<void()>* body_ = nullptr;
  Thread* running_ = nullptr;
  uint32_t block_threads_ = 0;
};

Executor& TheExecutor() {
  static thread_local Executor executor;
  return executor;
}

}  // namespace

void RunKernel(const Shape& shape, absl::FunctionRef<void()> thread) {
  if (shape.threads < 1 || shape.threads > 1024) Fail("a block has 1 to 1024 threads");
  TheExecutor().Run(shape, thread);
}

const ThreadContext& Context() { return TheExecutor().running().context; }

ThreadCopies& RunningCopies() { return TheExecutor().running().copies; }

void NoteWait() { TheExecutor().running().has_waited = true; }

void BlockBarrier() { TheExecutor().Yield(State::kAtBlockBarrier); }

int ExchangeInWarp(const void* mine, int bytes, void* all) {
  M3_CHECK(bytes <= kMaxExchange);
  Executor& executor = TheExecutor();
  const uint32_t thread = Context().thread.x;
  const uint32_t warp = thread / kWarp;
  const uint32_t lanes = std::min(kWarp, executor.block_threads() - warp * kWarp);
  std::memcpy(executor.exchange(warp, thread % kWarp), mine, bytes);
  executor.Yield(State::kAtWarpBarrier);
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    std::memcpy(static_cast<uint8_t*>(all) + lane * bytes, executor.exchange(warp, lane), bytes);
  }
  // Nobody may bring the next value while others still read this one.
  executor.Yield(State::kAtWarpBarrier);
  return static_cast<int>(lanes);
}

}  // namespace memory3::cuda::host
