// From weights to kept tokens, by one block. Device code.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_KEEP_HEAVIEST_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_KEEP_HEAVIEST_H_

#include <cstdint>

#include "engine/cuda/kernels/softmax_numbers.h"
#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

// The min(kept_tokens, tokens) heaviest in ascending order, of equal ones the lower, then -1.
// `weights` (tokens) and `chosen` (tokens) are shared memory; a weight that is not a number weighs
// least, so that any weights name tokens that exist. Begins with a barrier.
template <typename Weight>
M3_DEVICE void KeepHeaviest(Weight* weights, int32_t* chosen, int32_t tokens, int32_t kept_tokens,
                            int32_t* kept) {
  const auto threads = static_cast<int32_t>(blockDim.x);
  __syncthreads();
  for (auto i = static_cast<int32_t>(threadIdx.x); i < tokens; i += threads) {
    if (weights[i] != weights[i]) weights[i] = kNoScore;
  }
  __syncthreads();
  for (auto i = static_cast<int32_t>(threadIdx.x); i < tokens; i += threads) {
    int32_t heavier = 0;
    for (int32_t j = 0; j < tokens; ++j) {
      heavier += weights[j] > weights[i] || (weights[j] == weights[i] && j < i) ? 1 : 0;
    }
    chosen[i] = heavier < kept_tokens ? 1 : 0;
  }
  __syncthreads();
  for (auto i = static_cast<int32_t>(threadIdx.x); i < tokens; i += threads) {
    if (chosen[i] == 0) continue;
    int32_t place = 0;
    for (int32_t j = 0; j < i; ++j) place += chosen[j];
    kept[place] = i;
  }
  for (int32_t i = tokens + static_cast<int32_t>(threadIdx.x); i < kept_tokens; i += threads) {
    kept[i] = -1;
  }
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_KEEP_HEAVIEST_H_
