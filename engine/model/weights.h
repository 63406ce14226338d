// The checkpoint of a model, checked against its configuration and mapped read-only: a name, a
// shape and bytes per tensor.
//
//   M3_ASSIGN_OR_RETURN(ModelWeights weights, ModelWeights::Open(model_dir, config));
//   const Tensor& q = weights.layer(3).q_proj;   // (q_width, hidden), row-major, as stored
//
// Nothing is copied: a runner packs what it needs and then drops the ModelWeights. Pages are only
// read when touched. Thread safety: immutable after Open.
#ifndef MEMORY3_ENGINE_MODEL_WEIGHTS_H_
#define MEMORY3_ENGINE_MODEL_WEIGHTS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/model/model_config.h"
#include "engine/model/safetensors.h"

namespace memory3 {

// One decoder block. Matrices are (out, in) row-major as Hugging Face stores them: y = W x. Absent
// biases have no data.
struct LayerWeights {
  Tensor input_norm;              // (hidden)
  Tensor q_proj, k_proj, v_proj;  // (q_width | kv_width, hidden)
  Tensor q_bias, k_bias, v_bias;
  Tensor o_proj;  // (hidden, q_width)
  Tensor o_bias;
  Tensor post_attention_norm;  // (hidden)
  Tensor gate_proj, up_proj;   // (mlp, hidden)
  Tensor gate_bias, up_bias;
  Tensor down_proj;  // (hidden, mlp)
  Tensor down_bias;
};

class ModelWeights {
 public:
  // Every tensor the configuration asks for must be there with its exact shape and a floating-point
  // dtype.
  static absl::StatusOr<ModelWeights> Open(const std::filesystem::path& model_dir,
                                           const ModelConfig& config);

  const LayerWeights& layer(int index) const { return layers_[index]; }
  const Tensor& embedding() const { return embedding_; }    // (vocab, hidden)
  const Tensor& final_norm() const { return final_norm_; }  // (hidden)
  const Tensor& lm_head() const {
    return lm_head_;
  }  // (vocab, hidden); the embedding itself when tied
  // Bytes of all tensors used, a tied matrix counted once.
  int64_t total_bytes() const { return total_bytes_; }
  // Number of weights, a tied matrix counted once.
  int64_t parameters() const { return parameters_; }

  // Tells the kernel that a tensor, once packed, need not stay in memory: a model is never held
  // twice.
  void DropPages(const Tensor& tensor) const;

 private:
  std::vector<SafetensorsFile> files_;  // own the mappings the tensors point into
  std::vector<LayerWeights> layers_;
  Tensor embedding_, final_norm_, lm_head_;
  int64_t total_bytes_ = 0;
  int64_t parameters_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_WEIGHTS_H_
