// What a kernel asks of a device, counted where that can be done without one: instructions, sectors
// of global memory, passes through shared memory. No times, but the same in every run.
//
// With the environment variable M3_EMULATOR_COUNTERS=FILE a program writes a table when it ends.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_COUNTERS_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_COUNTERS_H_

#include <cstdint>
#include <string>

#include "engine/cuda/emulator/ptx_instruction.h"

namespace memory3::cuda::emulator {

struct Counters {
  int64_t launches = 0;
  int64_t blocks = 0;
  int64_t instructions = 0;  // of warps
  int64_t tile_products = 0;
  // Of global memory: sectors of 32 bytes that warps' requests touch, and as many as their bytes
  // would fill.
  int64_t sectors = 0;
  int64_t full_sectors = 0;
  // Of shared memory: passes that requests take, 32 banks of 4 bytes being read or written in each,
  // and as many as they would take without conflicts.
  int64_t passes = 0;
  int64_t free_passes = 0;

  void CountGlobal(const uint64_t (&addresses)[kLanes], uint32_t lanes, int bytes);
  void CountShared(const uint64_t (&offsets)[kLanes], uint32_t lanes, int bytes);
};

// Those of a kernel, by its mangled name; null when nobody asked for them.
Counters* CountersOf(const std::string& kernel);

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_COUNTERS_H_
