// Products of a few rows with a weight matrix, bound by the speed at which the weights are read:
// y = x W^T, with W (out, in) row-major as checkpoints store it.
//
// Batch-invariant: the terms of one output are added in an order that depends on `in` alone, so a
// row's bits do not depend on how many rows there are. Up to kSkinnyRows rows read the weights
// once; more read them once per kSkinnyRows.
//
// T is the type of inputs and weights (bf16 products with f32 sums on tensor cores; f32 without
// them), Out that of y: (BFloat16, BFloat16), (BFloat16, float) or (float, float).
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_MATMUL_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_MATMUL_H_

#include <cstdint>

#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

inline constexpr int32_t kSkinnyRows = 64;
// `in` is a multiple of this: rows of x and W begin at multiples of 16 bytes.
inline constexpr int32_t kSkinnyInputs = 8;

enum class Epilogue : uint8_t {
  kStore,   // y = x W^T + bias
  kAdd,     // y += x W^T + bias; for the residual stream
  kSwiGlu,  // W is gate, then up (2 out, in): y = silu(x gate^T + bias) * (x up^T + bias)
};

template <typename T, typename Out>
struct SkinnyMatMulArgs {
  const T* x = nullptr;       // (rows, in), aligned to 16 bytes
  const T* weight = nullptr;  // (out, in), aligned to 16 bytes; (2 out, in) with kSwiGlu
  const T* bias = nullptr;    // one per row of W; null: none
  Out* y = nullptr;           // (rows, out)
  Epilogue epilogue = Epilogue::kStore;
  int32_t rows = 0;
  int32_t in = 0;  // a multiple of kSkinnyInputs
  int32_t out = 0;
};

template <typename T, typename Out>
void SkinnyMatMul(Stream& stream, const SkinnyMatMulArgs<T, Out>& args);
// In a file of its own.
template <>
void SkinnyMatMul(Stream& stream, const SkinnyMatMulArgs<float, float>& args);

namespace twin {

// The same in plain loops; all pointers are host memory.
template <typename T, typename Out>
void SkinnyMatMul(const SkinnyMatMulArgs<T, Out>& args);

}  // namespace twin
}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_MATMUL_H_
