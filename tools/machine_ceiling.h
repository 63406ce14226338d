// What the machine at hand can do at best, so that a bench can say which share of it was reached:
// measured in the same run, because clocks, neighbours and memory differ from one run to the next.
#ifndef MEMORY3_TOOLS_MACHINE_CEILING_H_
#define MEMORY3_TOOLS_MACHINE_CEILING_H_

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

}  // namespace memory3

#endif  // MEMORY3_TOOLS_MACHINE_CEILING_H_
