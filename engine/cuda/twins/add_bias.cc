#include "engine/cuda/kernels/add_bias.h"

namespace memory3::cuda::twin {

template <typename T>
void AddBias(const AddBiasArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int32_t i = 0; i < args.width; ++i) {
      args.residual[row * args.width + i] += ToFloat(args.bias[i]);
    }
  }
}

template void AddBias(const AddBiasArgs<float>&);
template void AddBias(const AddBiasArgs<BFloat16>&);

}  // namespace memory3::cuda::twin
