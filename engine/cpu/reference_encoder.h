// The write path on CPUs (paper, 3.1-3.3): references through the memory layers, the most attended
// tokens of every KV head kept.
#ifndef MEMORY3_ENGINE_CPU_REFERENCE_ENCODER_H_
#define MEMORY3_ENGINE_CPU_REFERENCE_ENCODER_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/cpu_runner_plan.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory_tiles.h"
#include "engine/cpu/token_selection.h"
#include "engine/cpu/transformer.h"
#include "engine/model/model_config.h"
#include "engine/runner/memory_tensor.h"
#include "engine/runner/runner.h"

namespace memory3 {

class ReferenceEncoder {
 public:
  // Everything passed must outlive it; `tiles` holds the prefix.
  ReferenceEncoder(const ModelConfig& config, const CpuMemoryPlan& plan, CpuIsa isa,
                   const MemoryTiles& tiles, CpuTransformer& transformer, ThreadPool& pool);

  // Runner::EncodeReferences.
  absl::Status Encode(absl::Span<const absl::Span<const int32_t>> references,
                      std::vector<std::shared_ptr<const MemoryTensor>>* memories);

 private:
  void BuildBatch(absl::Span<const absl::Span<const int32_t>> references);
  // Chooses and copies the kept tokens of one layer, for all references and KV heads.
  void KeepTokens(int layer);
  void KeepTokensOfHead(int layer, int reference, int kv_head, TokenSelector& selector);

  const ModelConfig config_;
  const CpuMemoryPlan plan_;
  const RunnerMemoryInfo info_;
  const CpuKernels& kernels_;
  const MemoryTiles& tiles_;
  CpuTransformer& transformer_;
  ThreadPool& pool_;
  KvCache cache_;  // of the references at hand, in the layers up to the last memory layer
  std::vector<KvBlockId> blocks_;
  std::vector<TokenSelector> selectors_;  // one per thread
  std::atomic<int64_t> next_{0};

  // Of the call at hand.
  Batch batch_;
  std::vector<int64_t> first_row_;  // of every reference
  std::vector<std::shared_ptr<MemoryTensor>> memories_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_REFERENCE_ENCODER_H_
