// Cosines and sines of the rotary embedding for the rows of one step: computed once per row, used
// by every layer and head. No table of the whole context is kept; the angles of a row cost about as
// much as one head's attention to a few tokens.
#ifndef MEMORY3_ENGINE_CPU_ROPE_ANGLES_H_
#define MEMORY3_ENGINE_CPU_ROPE_ANGLES_H_

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"

namespace memory3 {

class RopeAngles {
 public:
  RopeAngles(const ModelConfig& config, int max_rows);

  // Fills row `row` for a token at `position`. Different rows may be filled at once.
  void Set(int64_t row, int64_t position);

  const float* cosines(int64_t row) const { return values_.data() + row * 2 * half_; }
  const float* sines(int64_t row) const { return cosines(row) + half_; }
  int half() const { return half_; }  // head_dim / 2

 private:
  const std::vector<double> frequencies_;
  const int half_;
  std::vector<float> values_;  // (max_rows, 2, half)
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_ROPE_ANGLES_H_
