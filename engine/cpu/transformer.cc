#include "engine/cpu/transformer.h"

namespace memory3 {

CpuTransformer::CpuTransformer(const ModelConfig& config, DType dtype, CpuIsa isa,
                               const Limits& limits, const KvShape& kv_shape,
                               const PackedModel& model, ThreadPool& pool)
    : config_(config),
      dtype_(dtype),
      kernels_(KernelsFor(isa)),
      model_(model),
      pool_(pool),
      attention_({config.heads, limits.max_rows, limits.max_sequences}, kernels_, &pool, kv_shape),
      angles_(config, limits.max_rows),
      work_(config, limits.max_rows) {
  rows_.reserve(limits.max_rows);
}

void CpuTransformer::Begin(const Batch& batch, int memory_offset, KvCache* cache,
                           const MemoryTiles* memory) {
  rows_.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    int32_t position = sequence.first_position + (sequence.use_memory ? memory_offset : 0);
    for (const int32_t token : sequence.tokens) rows_.push_back({token, position++});
  }
  ForRows(rows(), config_.hidden, [&](int64_t row) {
    model_.Embed(rows_[row].token, work_.residual.row(row));
    angles_.Set(row, rows_[row].position);
  });
  attention_.Plan(batch, cache, memory);
}

void CpuTransformer::Project(int index) {
  const PackedLayer& layer = model_.layers()[index];
  Normalize(
      rows(), [](int64_t row) { return row; }, layer.input_norm, work_.normed);
  Multiply(work_.normed, rows(), layer.qkv, layer.qkv_bias, false, work_.qkv);
}

void CpuTransformer::Finish(int index) {
  const PackedLayer& layer = model_.layers()[index];
  attention_.Run(index, work_.qkv.data(), angles_, work_.attention.data());
  Multiply(work_.attention, rows(), layer.o, layer.o_bias, true, work_.residual);

  Normalize(
      rows(), [](int64_t row) { return row; }, layer.post_attention_norm, work_.normed);
  Multiply(work_.normed, rows(), layer.gate_up, layer.gate_up_bias, false, work_.gate_up);
  ForRows(rows(), config_.mlp, [&](int64_t row) {
    const float* gate = work_.gate_up.row(row);
    kernels_.swiglu(gate, gate + config_.mlp, config_.mlp, work_.activated.row(row));
  });
  Multiply(work_.activated, rows(), layer.down, layer.down_bias, true, work_.residual);
}

void CpuTransformer::Multiply(const FloatMatrix& x, int64_t rows, const PackedMatrix& w,
                              const std::vector<float>& bias, bool accumulate, FloatMatrix& y) {
  work_.input.Set(x.data(), rows, w.inputs(), dtype_, pool_);
  MatMul(pool_, w, work_.input, bias.empty() ? nullptr : bias.data(), accumulate, y.data(),
         y.width());
}

}  // namespace memory3
