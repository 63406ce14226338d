#include "engine/cuda/kernels/rms_norm.h"

#include <cmath>

namespace memory3::cuda::twin {

template <typename T>
void RmsNorm(const RmsNormArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t source = args.row_of == nullptr ? row : args.row_of[row];
    const float* x = args.residual + source * args.width;
    double squares = 0;
    for (int32_t i = 0; i < args.width; ++i) squares += double{x[i]} * x[i];
    const double scale = 1 / std::sqrt(squares / args.width + args.epsilon);
    for (int32_t i = 0; i < args.width; ++i) {
      const double y = x[i] * scale * ToFloat(args.weight[i]);
      args.out[row * args.width + i] = FromFloat<T>(static_cast<float>(y));
    }
  }
}

template void RmsNorm(const RmsNormArgs<float>&);
template void RmsNorm(const RmsNormArgs<BFloat16>&);

}  // namespace memory3::cuda::twin
