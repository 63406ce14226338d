// Decode attention of bf16 heads on tensor cores. Device code and its launch.
//
// One block runs a part of one row in one KV head. A warp takes tiles of kAttentionTile keys in
// turn and computes transposed products, for keys are many and query heads few: scores = keys x
// queries^T, then out^T = values^T x weights^T, eight query heads wide. Every key and value is
// loaded once for the whole group.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_DECODE_TILES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_DECODE_TILES_H_

#include <cstdint>

#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/decode_states.h"

namespace memory3::cuda {

// False, and nothing launched, for heads that it does not take. `blocks`: of a row.
bool LaunchDecodeTiles(Stream& stream, const AttentionArgs<BFloat16>& args,
                       const DecodeStates& states, int32_t first_row, int32_t rows, int32_t blocks);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_DECODE_TILES_H_
