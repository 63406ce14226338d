#include "engine/cpu/kernel_table.h"

namespace memory3 {

constinit const CpuKernels kAvx512Kernels = MakeKernels<16>();

}  // namespace memory3
