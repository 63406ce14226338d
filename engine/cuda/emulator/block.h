// One block of a kernel: its warps, taking turns in a random order, and their shared memory.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_BLOCK_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_BLOCK_H_

#include <cstdint>
#include <deque>
#include <random>

#include "engine/cuda/emulator/launch.h"
#include "engine/cuda/emulator/shared_memory.h"
#include "engine/cuda/emulator/warp.h"

namespace memory3::cuda::emulator {

// Of blocks and warps; guarded by the runtime's lock, as all of this is.
std::mt19937_64& RandomOrder();

class Block {
 public:
  // `launch` outlives it.
  Block(const Launch& launch, uint64_t number);

  // Until the end or, while `previous_runs`, until nobody gets further.
  void Run(bool previous_runs);
  bool let_next_start() const;

 private:
  bool PassBarrier();

  const Launch& launch_;
  SharedMemory shared_;
  std::deque<Warp> warps_;
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_BLOCK_H_
