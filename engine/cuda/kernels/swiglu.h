// The gate of the MLP: silu(gate) * up.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SWIGLU_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SWIGLU_H_

#include <cstdint>

#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

template <typename T>
struct SwiGluArgs {
  const T* gate_up = nullptr;  // (rows, 2 mlp): gate, then up
  const T* bias = nullptr;     // (2 mlp); null: none
  T* out = nullptr;            // (rows, mlp)
  int32_t rows = 0;
  int32_t mlp = 0;
};

template <typename T>
void SwiGlu(Stream& stream, const SwiGluArgs<T>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T>
void SwiGlu(const SwiGluArgs<T>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SWIGLU_H_
