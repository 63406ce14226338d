#include "engine/cuda/kernels/swiglu.h"

#include <cmath>

namespace memory3::cuda::twin {

template <typename T>
void SwiGlu(const SwiGluArgs<T>& args) {
  const int64_t width = 2 * int64_t{args.mlp};
  for (int64_t row = 0; row < args.rows; ++row) {
    const auto input = [&](int64_t column) {
      const double bias = args.bias == nullptr ? 0 : ToFloat(args.bias[column]);
      return ToFloat(args.gate_up[row * width + column]) + bias;
    };
    for (int64_t i = 0; i < args.mlp; ++i) {
      const double gate = input(i);
      const double y = gate / (1 + std::exp(-gate)) * input(args.mlp + i);
      args.out[row * args.mlp + i] = FromFloat<T>(static_cast<float>(y));
    }
  }
}

template void SwiGlu(const SwiGluArgs<float>&);
template void SwiGlu(const SwiGluArgs<BFloat16>&);

}  // namespace memory3::cuda::twin
