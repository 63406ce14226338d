// Fills a CpuKernels table with the kernels of one vector width; included by one unit per
// instruction set.
#ifndef MEMORY3_ENGINE_CPU_KERNEL_TABLE_H_
#define MEMORY3_ENGINE_CPU_KERNEL_TABLE_H_

#include "engine/cpu/attention_kernel.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/row_kernels.h"
#include "engine/cpu/selection_kernel.h"

namespace memory3 {

template <int kLanes>
constexpr CpuKernels MakeKernels() {
  return CpuKernels{
      .rms_norm = RmsNorm<kLanes>,
      .swiglu = SwiGlu<kLanes>,
      .rotate = Rotate<kLanes>,
      .reset_state = ResetState<kLanes>,
      .fold_f32 = FoldRun<kLanes, float>,
      .fold_bf16 = FoldRun<kLanes, uint16_t>,
      .finish = FinishQuery<kLanes>,
      .score_keys = ScoreKeys<kLanes>,
      .add_softmax = AddSoftmax<kLanes>,
      .add_exponentials = AddExponentials<kLanes>,
  };
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_KERNEL_TABLE_H_
