// Token selection of bf16 heads on tensor cores, by the sum of softmaxes. Device code and its
// launch.
//
// One block weighs the tokens of one reference in one KV head: keys lie in shared memory, every
// warp takes 16 queries at a time against all of them and adds what they give to each token. Equal
// keys get equal sums, wherever they stand.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TILES_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TILES_H_

#include "engine/cuda/kernels/select_tokens.h"

namespace memory3::cuda {

// False, and nothing launched, for heads, rules and lengths that it does not take.
bool LaunchSelectTiles(Stream& stream, const SelectTokensArgs<BFloat16>& args);

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SELECT_TILES_H_
