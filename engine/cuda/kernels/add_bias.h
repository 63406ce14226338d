// Adds a bias to rows of the residual stream: for products that add to it and whose library offers
// no such epilogue. Models without o and MLP biases never need it.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_ADD_BIAS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_ADD_BIAS_H_

#include <cstdint>

#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

template <typename T>
struct AddBiasArgs {
  const T* bias = nullptr;    // (width)
  float* residual = nullptr;  // (rows, width)
  int32_t rows = 0;
  int32_t width = 0;
};

template <typename T>
void AddBias(Stream& stream, const AddBiasArgs<T>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void AddBias(const AddBiasArgs<T>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_ADD_BIAS_H_
