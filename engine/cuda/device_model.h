// The weights of a model in device memory, in the element type the kernels compute with.
//
// Matrices are (out, in) row-major as in the checkpoint; those that share an input are stacked into
// one, so that they are one product. All lie in one allocation whose size is known from the
// configuration alone. Immutable after Upload.
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_MODEL_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_MODEL_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/cuda/kernels/rope_store.h"
#include "engine/cuda/platform/element.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace memory3::cuda {

template <typename T>
struct DeviceLayer {
  const T* input_norm = nullptr;           // (hidden)
  const T* post_attention_norm = nullptr;  // (hidden)
  const T* qkv = nullptr;                  // (q_width + 2 kv_width, hidden): q, k, v
  const T* o = nullptr;                    // (hidden, q_width)
  const T* gate_up = nullptr;              // (2 mlp, hidden): gate, then up
  const T* down = nullptr;                 // (hidden, mlp)
  // As long as the outputs of their product; null: none.
  const T* qkv_bias = nullptr;
  const T* o_bias = nullptr;
  const T* gate_up_bias = nullptr;
  const T* down_bias = nullptr;
};

// Pinned bytes that Upload passes the weights through: two pieces, so that one is filled while the
// other is copied.
inline constexpr int64_t kUploadPieceBytes = int64_t{16} << 20;

template <typename T>
class DeviceModel {
 public:
  // What a model takes, angles of `max_context` positions included.
  static int64_t Bytes(const ModelConfig& config, int max_context);

  // Copies every weight, layer by layer; waits until the device has them.
  static absl::StatusOr<DeviceModel> Upload(const ModelConfig& config, const ModelWeights& weights,
                                            int max_context, Stream& stream);

  const DeviceLayer<T>& layer(int index) const { return layers_[index]; }
  const T* embedding() const { return embedding_; }    // (vocab, hidden)
  const T* final_norm() const { return final_norm_; }  // (hidden)
  const T* lm_head() const { return lm_head_; }        // (vocab, hidden); the embedding when tied
  RopeTable rope() const { return rope_; }
  int64_t bytes() const { return memory_.bytes(); }
  int64_t bytes_per_step() const { return bytes_per_step_; }  // matrices that every step reads

 private:
  friend class ModelLayout;
  DeviceModel() = default;

  Buffer memory_;
  std::vector<DeviceLayer<T>> layers_;
  const T* embedding_ = nullptr;
  const T* final_norm_ = nullptr;
  const T* lm_head_ = nullptr;
  RopeTable rope_;
  int64_t bytes_per_step_ = 0;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_MODEL_H_
