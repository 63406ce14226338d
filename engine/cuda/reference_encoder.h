// The write path on the device (paper, 3.1-3.3): references through the memory layers in one batch,
// the most attended tokens of every KV head kept, records gathered on the device.
#ifndef MEMORY3_ENGINE_CUDA_REFERENCE_ENCODER_H_
#define MEMORY3_ENGINE_CUDA_REFERENCE_ENCODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/cuda_runner_plan.h"
#include "engine/cuda/device_memories.h"
#include "engine/cuda/device_model.h"
#include "engine/cuda/device_transformer.h"
#include "engine/cuda/kernels/select_tokens.h"
#include "engine/cuda/kv_cache.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/cuda/step_input.h"
#include "engine/cuda/workspace.h"
#include "engine/model/model_config.h"
#include "engine/runner/memory_tensor.h"

namespace memory3::cuda {

template <typename T>
class ReferenceEncoder {
 public:
  // What it shares with the runner, which must outlive it.
  struct Runner {
    Stream& stream;
    StepInput& input;
    const DeviceModel<T>& model;
    const Workspace<T>& work;
    const DeviceMemories<T>& memories;  // holds the prefix
    DeviceTransformer<T>& transformer;
  };

  // Without the keys and values of the references.
  static int64_t DeviceBytes(const CudaMemoryPlan& plan);
  static int64_t PinnedBytes(const CudaMemoryPlan& plan);
  // `rule`: of the products; not kFast, so that a memory's bits do not depend on its batch.
  static absl::StatusOr<ReferenceEncoder> Create(const ModelConfig& config,
                                                 const CudaMemoryPlan& plan, ProductRule rule,
                                                 const Runner& runner);

  // Runner::EncodeReferences, for references that were checked.
  absl::Status Encode(absl::Span<const absl::Span<const int32_t>> references,
                      std::vector<std::shared_ptr<const MemoryTensor>>* memories);

 private:
  // In device and in pinned memory.
  struct Results {
    ReferenceRows* rows = nullptr;  // (references)
    int32_t* kept = nullptr;        // (memory layers, references, kv_heads, kept_tokens)
    uint8_t* records = nullptr;     // (references, record)
    static Results At(Arena& arena, const CudaMemoryPlan& plan);
  };

  ReferenceEncoder(const ModelConfig& config, const CudaMemoryPlan& plan, ProductRule rule,
                   const Runner& runner)
      : config_(config), plan_(plan), rule_(rule), runner_(runner) {}
  absl::Status BuildStep(absl::Span<const absl::Span<const int32_t>> references);
  void EnqueueLayers(int references);
  void Select(int layer, int references);
  template <typename Record>
  void Gather(int layer, int references);
  std::shared_ptr<const MemoryTensor> MemoryOf(int index, int tokens, int references) const;
  int64_t kept_per_layer(int references) const {
    return int64_t{references} * config_.kv_heads * plan_.shape.record.kept_tokens;
  }

  ModelConfig config_;
  CudaMemoryPlan plan_;
  ProductRule rule_;
  Runner runner_;
  KvCache<T> cache_;  // of the references at hand, in the layer at hand
  Buffer device_, pinned_;
  Results on_device_, on_host_;
  std::vector<KvBlockId> blocks_;
  Batch batch_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_REFERENCE_ENCODER_H_
