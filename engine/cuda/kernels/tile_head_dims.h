// The head sizes that tensor core attention is compiled for: those that models have. Every one
// costs seconds of compilation; another multiple of 16 up to 256 needs to be named here and no
// more.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_TILE_HEAD_DIMS_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_TILE_HEAD_DIMS_H_

#include <cstdint>

namespace memory3::cuda {

// Calls use.template operator()<kHeadDim>() with `head_dim` as a constant; false if it is none of
// them.
template <typename Use>
bool WithTileHeadDim(int32_t head_dim, Use use) {
  const auto use_if = [&]<int kHeadDim>() {
    if (head_dim != kHeadDim) return false;
    use.template operator()<kHeadDim>();
    return true;
  };
  return [&]<int... kHeadDims>() { return (use_if.template operator()<kHeadDims>() || ...); }
  .template operator()<16, 32, 64, 80, 96, 128, 192, 256>();
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_TILE_HEAD_DIMS_H_
