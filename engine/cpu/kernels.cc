#include "engine/cpu/kernels.h"

#include "engine/base/check.h"

namespace memory3 {

const CpuKernels& KernelsFor(CpuIsa isa) {
  M3_CHECK(IsSupported(isa));
#if defined(__x86_64__)
  if (isa == CpuIsa::kAvx512Bf16) return kAvx512Kernels;
  if (isa == CpuIsa::kAvx2) return kAvx2Kernels;
#endif
  return kPortableKernels;
}

void PackQuery(const float* query, int index, int head_dim, float* packed) {
  float* out = packed + int64_t{index / kQueryGroup} * kQueryGroup * head_dim + index % kQueryGroup;
  for (int d = 0; d < head_dim; ++d) out[int64_t{d} * kQueryGroup] = query[d];
}

}  // namespace memory3
