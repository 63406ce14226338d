// What a skinny product does with its sums. Shared by the bf16 and the f32 kernel.
#ifndef MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_EPILOGUE_H_
#define MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_EPILOGUE_H_

#include "engine/cuda/kernels/skinny_matmul.h"
#include "engine/cuda/platform/kernel.h"

namespace memory3::cuda {

// Finishes y[row][feature] from the sums of rows `feature` and, with kSwiGlu, `out + feature` of W.
template <typename T, typename Out>
M3_DEVICE void FinishOutput(const SkinnyMatMulArgs<T, Out>& args, int64_t row, int32_t feature,
                            float sum, float up_sum) {
  Out* y = args.y + row * args.out + feature;
  if (args.bias != nullptr) sum += ToFloat(args.bias[feature]);
  if (args.epilogue == Epilogue::kSwiGlu) {
    if (args.bias != nullptr) up_sum += ToFloat(args.bias[args.out + feature]);
    sum = sum / (1.0f + expf(-sum)) * up_sum;
  }
  if (args.epilogue == Epilogue::kAdd) sum += ToFloat(*y);
  *y = FromFloat<Out>(sum);
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_KERNELS_SKINNY_EPILOGUE_H_
