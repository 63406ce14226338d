#include "engine/cpu/kernel_table.h"

namespace memory3 {

constinit const CpuKernels kAvx2Kernels = MakeKernels<8>();

}  // namespace memory3
