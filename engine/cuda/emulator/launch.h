// A kernel with its arguments, ready to run, and the run itself.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_LAUNCH_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_LAUNCH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/cuda/emulator/counters.h"
#include "engine/cuda/emulator/ptx_module.h"

namespace memory3::cuda::emulator {

struct Index3 {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t z = 0;
};

struct Launch {
  const Function* function = nullptr;
  Index3 grid;  // blocks
  uint32_t threads = 1;
  int shared_bytes = 0;
  bool overlaps = false;  // may begin before the kernel in front of it has ended
  std::vector<uint8_t> parameters;
  Counters* counters = nullptr;  // null: nobody counts
};

class Block;

// Runs a launch's blocks in a random order, one after the other.
class KernelRun {
 public:
  explicit KernelRun(std::shared_ptr<const Launch> launch);
  ~KernelRun();

  // Runs some blocks as far as they get while the kernel in front of this one has not ended.
  void StartSome();
  // Whether those blocks have let the next kernel start.
  bool LetsNextStart() const;
  // The rest, after the kernel in front has ended.
  void Finish();

 private:
  std::unique_ptr<Block> NextBlock();

  const std::shared_ptr<const Launch> launch_;
  std::vector<uint64_t> waiting_;  // blocks that have not begun
  std::vector<std::unique_ptr<Block>> started_;
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_LAUNCH_H_
