// A fixed set of threads that run one parallel loop at a time: the only compute threads of a
// process.
//
//   ThreadPool pool(2);                       // the caller and one worker
//   pool.Run([&](int part, int parts) { ... });  // part in [0, parts), each exactly once; returns
//   when all are done
//
// The calling thread works too (as part 0), so ThreadPool(1) starts no thread. Workers spin briefly
// and then sleep, so an idle server burns nothing and back-to-back loops cost about a microsecond.
// Run allocates nothing. Thread safety: Run may be called by one thread at a time (the engine
// thread).
#ifndef MEMORY3_ENGINE_BASE_THREAD_POOL_H_
#define MEMORY3_ENGINE_BASE_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace memory3 {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Runs body(part, threads()) once for every part and returns when all have finished.
  void Run(absl::FunctionRef<void(int part, int parts)> body);

 private:
  class Impl;
  const int threads_;
  std::unique_ptr<Impl> impl_;
};

// Half-open share of `part` when `count` items are divided into `parts` as evenly as possible.
struct Range {
  int64_t begin;
  int64_t end;
};
Range ShareOf(int64_t count, int part, int parts);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_BASE_THREAD_POOL_H_
