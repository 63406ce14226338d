// Random weights that are a function of (seed, tensor, index) alone.
#ifndef MEMORY3_TOOLS_SYNTH_WEIGHTS_H_
#define MEMORY3_TOOLS_SYNTH_WEIGHTS_H_

#include <cstdint>

#include "engine/base/thread_pool.h"
#include "engine/model/safetensors.h"

namespace memory3 {

class RandomWeights {
 public:
  RandomWeights(uint64_t seed, uint64_t tensor, float mean, float deviation);

  // Element `index`, in units of f32: nearly normal (the sum of four uniform numbers), so
  // within 3.5 deviations.
  float At(int64_t index) const;

  // Elements [first, first + count) in the given dtype, in parallel.
  void Fill(int64_t first, int64_t count, DType dtype, ThreadPool& pool, uint8_t* out) const;

 private:
  const uint64_t stream_;
  const float mean_;
  const float scale_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_SYNTH_WEIGHTS_H_
