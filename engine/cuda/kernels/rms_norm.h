// Root-mean-square norm of rows of the residual stream.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_RMS_NORM_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_RMS_NORM_H_

#include <cstdint>

#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

template <typename T>
struct RmsNormArgs {
  const float* residual = nullptr;  // (any, width)
  const int32_t* row_of = nullptr;  // (rows) row of residual that row i of out is made of; null: i
  const T* weight = nullptr;        // (width)
  T* out = nullptr;                 // (rows, width)
  int32_t rows = 0;
  int32_t width = 0;
  float epsilon = 0;
};

template <typename T>
void RmsNorm(Stream& stream, const RmsNormArgs<T>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void RmsNorm(const RmsNormArgs<T>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_RMS_NORM_H_
