// Streams, events and graphs: queues of operations that run when somebody waits for them, as late
// as the events allow. A result that depends on more than the events say then shows.
//
// A kernel that may overlap begins, with some of its blocks, before the kernel in front of it has
// run, as far as that one lets it.
//
// Not thread-safe: the runtime's lock guards all of them.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_STREAM_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_STREAM_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engine/cuda/emulator/launch.h"

namespace memory3::cuda::emulator {

// One of the two.
struct Operation {
  std::function<void()> run;
  std::shared_ptr<const Launch> kernel;
};

class Stream {
 public:
  // While a graph is captured, to the graph.
  void Add(Operation operation);

  // The number of operations so far; what RunUpTo takes.
  uint64_t mark() const { return added_; }
  bool HasRun(uint64_t mark) const { return run_ >= mark; }
  void RunUpTo(uint64_t mark);
  void RunAll() { RunUpTo(added_); }
  // Whether something is left to do afterwards.
  bool RunOne();

  bool capturing() const { return capturing_; }
  void BeginCapture() { capturing_ = true; }
  std::vector<Operation> EndCapture();

 private:
  struct Waiting {
    Operation operation;
    std::unique_ptr<KernelRun> kernel;  // once it has begun
  };

  void RunFirst();
  void StartBehindFirst();

  std::deque<Waiting> waiting_;
  uint64_t added_ = 0;
  uint64_t run_ = 0;
  bool capturing_ = false;
  std::vector<Operation> captured_;
};

// A place in a stream.
struct Event {
  std::shared_ptr<Stream> stream;  // null: never recorded
  uint64_t mark = 0;

  bool HasRun() const { return stream == nullptr || stream->HasRun(mark); }
  void Run() const {
    if (stream != nullptr) stream->RunUpTo(mark);
  }
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_STREAM_H_
