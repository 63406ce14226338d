#include "tools/machine_ceiling.h"

#include <gtest/gtest.h>

namespace memory3 {
namespace {

// Far below and far above any machine: catches a wrong unit or a loop that was optimised away, not
// a slow neighbour.
TEST(MachineCeiling, IsOfTheOrderOfMachines) {
  const MachineCeiling ceiling = MeasureMachineCeiling(0);
  EXPECT_GT(ceiling.read_bytes_per_second, 1e7);
  EXPECT_LT(ceiling.read_bytes_per_second, 1e13);
  EXPECT_GT(ceiling.bf16_flops_per_second, 1e7);
  EXPECT_LT(ceiling.bf16_flops_per_second, 1e15);
}

}  // namespace
}  // namespace memory3
