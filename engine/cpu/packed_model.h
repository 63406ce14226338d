// All weights of a model in the form the CPU runner reads: matrices packed, those that share an
// input stacked, norms and biases as floats. The checkpoint is not needed afterwards.
#ifndef MEMORY3_ENGINE_CPU_PACKED_MODEL_H_
#define MEMORY3_ENGINE_CPU_PACKED_MODEL_H_

#include <cstdint>
#include <vector>

#include "engine/base/aligned_buffer.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/matmul.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace memory3 {

struct PackedLayer {
  std::vector<float> input_norm, post_attention_norm;  // (hidden)
  PackedMatrix qkv;                                    // q, k, v stacked
  PackedMatrix o;
  PackedMatrix gate_up;  // gate, then up
  PackedMatrix down;
  // As long as the outputs of their product, or empty.
  std::vector<float> qkv_bias, o_bias, gate_up_bias, down_bias;
};

class PackedModel {
 public:
  // Reads every weight once, in parallel.
  PackedModel(const ModelConfig& config, const ModelWeights& weights, DType dtype, CpuIsa isa,
              ThreadPool& pool);

  // What a PackedModel of this shape will take, to a few percent, from the configuration alone.
  static int64_t EstimateBytes(const ModelConfig& config, DType dtype);

  const std::vector<PackedLayer>& layers() const { return layers_; }
  const std::vector<float>& final_norm() const { return final_norm_; }
  const PackedMatrix& lm_head() const { return lm_head_; }
  int64_t bytes() const;           // resident
  int64_t bytes_per_step() const;  // the matrices every step reads

  // The embedding of a token: hidden floats.
  void Embed(int32_t token, float* out) const;

 private:
  void CopyEmbedding(const Tensor& embedding, ThreadPool& pool);

  const int64_t hidden_;
  const DType dtype_;
  std::vector<PackedLayer> layers_;
  std::vector<float> final_norm_;
  PackedMatrix lm_head_;
  // (vocab, hidden) in dtype_. Empty when tied: then rows are read back from lm_head_, which keeps
  // the largest matrix of small models from being there twice.
  AlignedBuffer embedding_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_PACKED_MODEL_H_
