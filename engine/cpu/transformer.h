// The decoder blocks on the rows of one step: what serving a batch, computing the reference prefix
// and encoding references have in common.
//
//   transformer.Begin(batch, offset, &cache, memory);
//   for each layer: transformer.Project(layer); transformer.Finish(layer);
//   ... transformer.work().residual.row(i) ...
//
// Batch-invariant: a row's bits depend on its own sequence alone. Allocates nothing once built. Not
// thread-safe: one step at a time, on the engine thread and the pool.
#ifndef MEMORY3_ENGINE_CPU_TRANSFORMER_H_
#define MEMORY3_ENGINE_CPU_TRANSFORMER_H_

#include <cstdint>
#include <vector>

#include "engine/base/thread_pool.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory_tiles.h"
#include "engine/cpu/packed_model.h"
#include "engine/cpu/rope_angles.h"
#include "engine/cpu/workspace.h"
#include "engine/model/model_config.h"
#include "engine/runner/batch.h"

namespace memory3 {

class CpuTransformer {
 public:
  struct Limits {
    int max_rows = 0;
    int max_sequences = 0;
  };
  // The model and pool must outlive it.
  CpuTransformer(const ModelConfig& config, DType dtype, CpuIsa isa, const Limits& limits,
                 const KvShape& kv_shape, const PackedModel& model, ThreadPool& pool);

  // Embeds the rows of `batch`, numbered through its sequences in order; token i of a sequence sits
  // at position i, or memory_offset + i with use_memory. Batch, cache and memory must stay valid
  // until the last Finish.
  void Begin(const Batch& batch, int memory_offset, KvCache* cache, const MemoryTiles* memory);

  // The layer's norm and its query, key and value products: work().qkv, before RoPE.
  void Project(int layer);
  // Stores keys and values, attends, and adds attention and MLP to work().residual.
  void Finish(int layer);

  int64_t rows() const { return static_cast<int64_t>(rows_.size()); }
  const RopeAngles& angles() const { return angles_; }
  Workspace& work() { return work_; }

  // out.row(i) = norm of residual.row(row_of(i)), for i in [0, rows).
  template <typename RowOf>
  void Normalize(int64_t rows, RowOf row_of, const std::vector<float>& weight, FloatMatrix& out) {
    ForRows(rows, config_.hidden, [&](int64_t i) {
      kernels_.rms_norm(work_.residual.row(row_of(i)), weight.data(), config_.hidden,
                        static_cast<float>(config_.rms_norm_eps), out.row(i));
    });
  }

  // y = x W^T + bias (empty: none) for `rows` rows of x; added to y when `accumulate`.
  void Multiply(const FloatMatrix& x, int64_t rows, const PackedMatrix& w,
                const std::vector<float>& bias, bool accumulate, FloatMatrix& y);

  // body(row) for every row, on all threads when the rows together are worth it.
  template <typename Body>
  void ForRows(int64_t rows, int64_t floats_per_row, Body body) {
    // Less work than this is done before a second thread has woken up.
    constexpr int64_t kWorthSharing = 16 * 1024;
    if (rows == 1 || rows * floats_per_row < kWorthSharing) {
      for (int64_t row = 0; row < rows; ++row) body(row);
      return;
    }
    pool_.Run([&](int part, int parts) {
      const Range range = ShareOf(rows, part, parts);
      for (int64_t row = range.begin; row < range.end; ++row) body(row);
    });
  }

 private:
  struct Row {
    int32_t token;
    int32_t position;
  };

  const ModelConfig config_;
  const DType dtype_;
  const CpuKernels& kernels_;
  const PackedModel& model_;
  ThreadPool& pool_;
  CpuAttention attention_;
  RopeAngles angles_;
  Workspace work_;
  std::vector<Row> rows_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_CPU_TRANSFORMER_H_
