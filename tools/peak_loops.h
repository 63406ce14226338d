// Arithmetic on registers alone, to measure what the cores can do at best. Internal to
// machine_ceiling.h.
#ifndef MEMORY3_TOOLS_PEAK_LOOPS_H_
#define MEMORY3_TOOLS_PEAK_LOOPS_H_

#include <cstdint>

namespace memory3 {

struct PeakLoop {
  void (*run)(int64_t loops);
  int64_t flops_per_loop;
};

// The one with the instruction set that this machine's bf16 products would use.
PeakLoop BestPeakLoop();

}  // namespace memory3

#endif  // MEMORY3_TOOLS_PEAK_LOOPS_H_
