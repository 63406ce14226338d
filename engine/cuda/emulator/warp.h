// 32 threads of a block that execute instructions together.
//
// Lanes may take different ways; those that are furthest behind in the text go first, so that they
// meet again where the ways join. At instructions that all execute together they wait for the
// others.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_WARP_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_WARP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/cuda/emulator/launch.h"
#include "engine/cuda/emulator/ptx_module.h"
#include "engine/cuda/emulator/shared_memory.h"

namespace memory3::cuda::emulator {

// An asynchronous copy of 16 bytes to shared memory.
struct AsyncCopy {
  uint64_t to = 0;
  const uint8_t* from = nullptr;
  int bytes = 0;  // the rest of the 16 become zero
};

// Those of one thread, in their order.
struct AsyncCopies {
  std::vector<AsyncCopy> copies;
  std::vector<size_t> groups;  // where each ends among the copies
  size_t done_copies = 0;
  size_t done_groups = 0;
};

class Warp {
 public:
  enum class State : uint8_t { kRunning, kAtBlockBarrier, kAtGridWait, kDone };

  Warp(const Launch& launch, SharedMemory& shared, Index3 block, int number);

  // Until a barrier, the end, or, while `previous_runs`, a wait for the previous kernel.
  void Run(bool previous_runs);

  State state() const { return state_; }
  void PassBarrier() { state_ = State::kRunning; }
  // Whether every lane has called, until now: LetNextKernelStart, WaitForPreviousKernel.
  bool let_next_start() const { return (let_next_start_ & all_) == all_; }
  bool has_waited() const { return (has_waited_ & all_) == all_; }

  // For instructions.
  uint64_t* lanes(int32_t register_number) const {
    return values_.get() + int64_t{register_number} * kLanes;
  }
  const Launch& launch() const { return launch_; }
  SharedMemory& shared() const { return shared_; }
  Index3 block() const { return block_; }
  int ThreadOf(int lane) const { return number_ * kLanes + lane; }
  AsyncCopies& copies(int lane) { return copies_[lane]; }
  // Fails unless all lanes that there are take part.
  void CheckWhole(uint32_t lanes) const;
  void LetNextStart(uint32_t lanes) { let_next_start_ |= lanes; }

 private:
  void FillConstants();
  uint64_t SpecialOf(Special special, int lane) const;
  // The lanes at the smallest place, and the next larger place of another.
  struct Front {
    uint32_t lanes = 0;
    int32_t at = 0;
    int32_t next = 0;
  };
  Front FindFront();
  void GoTo(uint32_t lanes, int32_t place);
  // Runs a front until it meets others, splits, ends or has to wait.
  void RunFront(Front front, bool previous_runs);

  const Launch& launch_;
  SharedMemory& shared_;
  const Index3 block_;
  const int number_;  // in the block
  std::unique_ptr<uint64_t[]> values_;
  uint32_t all_ = 0;                         // the lanes that there are
  uint32_t live_ = 0;                        // that have not ended
  uint32_t held_ = 0;                        // of these, that wait for the others
  std::array<int32_t, kLanes> places_ = {};  // of live lanes: the next instruction
  State state_ = State::kRunning;
  uint32_t let_next_start_ = 0;
  uint32_t has_waited_ = 0;
  std::array<AsyncCopies, kLanes> copies_;
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_WARP_H_
