// Sizes of packed weights and inputs. Internal to the matrix product.
#ifndef MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_
#define MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_

#include <cstdint>

#include "engine/cpu/matmul_kernels.h"
#include "engine/model/safetensors.h"

namespace memory3 {

inline int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Inputs of one step: a pair of bf16 or one float, 4 bytes either way.
inline int64_t InputsPerStep(DType dtype) { return 4 / SizeOf(dtype); }

// Steps of a product over `inputs`, the padding included.
inline int64_t PackedSteps(int64_t inputs, DType dtype) {
  return RoundUp((inputs + InputsPerStep(dtype) - 1) / InputsPerStep(dtype), kUnrolledSteps);
}

inline int64_t PanelBytes(int64_t inputs, DType dtype) {
  return PackedSteps(inputs, dtype) * kStepBytes;
}

inline int64_t PackedRowBytes(int64_t inputs, DType dtype) {
  return PackedSteps(inputs, dtype) * 4;
}

// Rows a multiple of 4096 bytes apart would share one set of the L1 cache: a line more moves them
// to neighbouring sets.
inline int64_t InputStride(int64_t inputs, DType dtype) {
  const int64_t bytes = RoundUp(PackedRowBytes(inputs, dtype), kCacheLineBytes);
  return bytes % 4096 == 0 ? bytes + kCacheLineBytes : bytes;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_PACKED_LAYOUT_H_
