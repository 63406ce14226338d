#include "engine/cuda/kernels/skinny_matmul.h"

#include <cmath>

namespace memory3::cuda::twin {

template <typename T, typename Out>
void SkinnyMatMul(const SkinnyMatMulArgs<T, Out>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const auto product = [&](int64_t weight_row) {
      double sum = args.bias == nullptr ? 0 : ToFloat(args.bias[weight_row]);
      for (int64_t i = 0; i < args.in; ++i) {
        sum += double{ToFloat(args.x[row * args.in + i])} *
               ToFloat(args.weight[weight_row * args.in + i]);
      }
      return sum;
    };
    for (int64_t feature = 0; feature < args.out; ++feature) {
      Out& y = args.y[row * args.out + feature];
      double sum = product(feature);
      if (args.epilogue == Epilogue::kAdd) sum += ToFloat(y);
      if (args.epilogue == Epilogue::kSwiGlu) {
        sum = sum / (1 + std::exp(-sum)) * product(args.out + feature);
      }
      y = FromFloat<Out>(static_cast<float>(sum));
    }
  }
}

template void SkinnyMatMul(const SkinnyMatMulArgs<float, float>&);
template void SkinnyMatMul(const SkinnyMatMulArgs<BFloat16, float>&);
template void SkinnyMatMul(const SkinnyMatMulArgs<BFloat16, BFloat16>&);

}  // namespace memory3::cuda::twin
