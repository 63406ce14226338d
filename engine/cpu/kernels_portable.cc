#include "engine/cpu/kernel_table.h"

namespace memory3 {

constinit const CpuKernels kPortableKernels = MakeKernels<4>();

}  // namespace memory3
