// What the machine at hand can do at best, so that a bench can say which share of it was reached:
// measured in the same run, because clocks, neighbours and memory differ from one run to the next.
#ifndef MEMORY3_TOOLS_MACHINE_CEILING_H_
#define MEMORY3_TOOLS_MACHINE_CEILING_H_

#include <memory>

#include "absl/time/time.h"

namespace memory3 {

struct MachineCeiling {
  double read_bytes_per_second = 0;  // from DRAM, all threads together
  // Multiplications and additions on bf16 operands with f32 sums, all threads together: vdpbf16ps
  // where the machine has it, otherwise the f32 arithmetic that stands in for it.
  double bf16_flops_per_second = 0;
};

// Takes about two seconds and half a gigabyte, on `threads` threads of its own (0: one per core
// this process may use). The best of many short passes: a neighbour can only make one slower. On a
// machine that is busy throughout, no pass may get all its cores, and what is measured later may
// exceed this: trust shares from an idle machine only.
MachineCeiling MeasureMachineCeiling(int threads);

// What reading reaches on average over a while, neighbours' disturbance included: the yardstick for
// a run measured just before or after, on a machine whose bandwidth changes from second to second.
class SustainedRead {
 public:
  explicit SustainedRead(int threads);  // 0: one per core this process may use
  ~SustainedRead();
  double BytesPerSecond(absl::Duration measuring_time);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MACHINE_CEILING_H_
