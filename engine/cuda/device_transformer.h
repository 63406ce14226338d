// The decoder blocks on the rows of one step: what serving a batch, computing the reference prefix
// and encoding references have in common. Only enqueues; nothing is waited for or allocated.
//
//   transformer.Embed(stream, step);
//   for each layer: transformer.Project(stream, step, layer); transformer.Finish(stream, step,
//   layer);
//   ... workspace.residual ...
#ifndef MEMORY3_ENGINE_CUDA_DEVICE_TRANSFORMER_H_
#define MEMORY3_ENGINE_CUDA_DEVICE_TRANSFORMER_H_

#include <cstdint>

#include "engine/cuda/device_memories.h"
#include "engine/cuda/device_model.h"
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kv_cache.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/cuda/products.h"
#include "engine/cuda/step_input.h"
#include "engine/cuda/workspace.h"
#include "engine/model/model_config.h"

namespace memory3::cuda {

// The rows of a step and what they see. Views: what they point to outlives the step's enqueueing.
template <typename T>
struct DeviceStep {
  const StepInput* input = nullptr;
  const KvCache<T>* cache = nullptr;            // one of a single layer serves all layers in turn
  const DeviceMemories<T>* memories = nullptr;  // null: no row has a memory set
  ProductRule rule = ProductRule::kFast;
  int32_t decode_context = 0;        // bounds what the rows of decode attention see
  const int32_t* sampled = nullptr;  // of kernels/embed.h
};

template <typename T>
class DeviceTransformer {
 public:
  // All must outlive it.
  DeviceTransformer(const ModelConfig& config, const DeviceModel<T>& model, Workspace<T>& work,
                    Products& products)
      : config_(config), model_(model), work_(work), products_(products) {}

  void Embed(Stream& stream, const DeviceStep<T>& step);
  // The layer's norm and its query, key and value products: workspace.qkv, without bias and before
  // rotation.
  void Project(Stream& stream, const DeviceStep<T>& step, int layer);
  // Rotates; keys and values go to the cache.
  void Store(Stream& stream, const DeviceStep<T>& step, int layer);
  // Attends, and adds attention and MLP to workspace.residual.
  void Finish(Stream& stream, const DeviceStep<T>& step, int layer);

  // Chooses the algorithms of all products of steps of up to `rows` rows.
  absl::Status Prepare(int rows);

 private:
  AttentionShape attention_shape() const {
    return {config_.heads, config_.kv_heads, config_.head_dim};
  }
  AttentionArgs<T> AttentionOf(const DeviceStep<T>& step, int layer) const;
  void Attend(Stream& stream, const DeviceStep<T>& step, int layer);
  void Normalize(Stream& stream, const T* weight, int32_t rows);
  // residual += x W^T + bias.
  void Add(Stream& stream, const DeviceStep<T>& step, const T* x, const T* w, const T* bias,
           int32_t inputs);

  const ModelConfig config_;
  const DeviceModel<T>& model_;
  Workspace<T>& work_;
  Products& products_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DEVICE_TRANSFORMER_H_
