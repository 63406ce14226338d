#include "engine/cpu/cpu_runner.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/base/thread_pool.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/available_memory.h"
#include "engine/cpu/batch_check.h"
#include "engine/cpu/cpu_runner_plan.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/packed_model.h"
#include "engine/cpu/rope_angles.h"
#include "engine/cpu/workspace.h"
#include "engine/sampling/sampler.h"

namespace memory3 {
namespace {

// A loop with less work than this (floats touched) is done before a second thread has woken up.
constexpr int64_t kWorthSharing = 16 * 1024;

const float* DataOrNull(const std::vector<float>& bias) {
  return bias.empty() ? nullptr : bias.data();
}

class CpuRunner : public Runner {
 public:
  CpuRunner(const ModelConfig& config, const ModelWeights& weights, DType dtype,
            const CpuRunnerPlan& plan)
      : config_(config),
        dtype_(dtype),
        kernels_(KernelsFor(plan.isa)),
        pool_(plan.threads),
        model_(config, weights, dtype, plan.isa, pool_),
        cache_(plan.kv_shape, plan.kv_blocks),
        attention_({config.heads, plan.max_batch_rows, plan.max_sequences}, kernels_, &pool_,
                   &cache_),
        angles_(config, plan.max_batch_rows),
        work_(config, plan.max_batch_rows),
        slots_(plan.max_sequences),
        top_logprobs_(plan.max_sequences) {
    rows_.reserve(plan.max_batch_rows);
    logit_rows_.reserve(plan.max_batch_rows);
    for (int i = 0; i < plan.max_sequences; ++i) samplers_.emplace_back(config.vocab);
    for (auto& top : top_logprobs_) top.reserve(kMaxTopLogprobs);
    FillInfo(plan);
  }

  const RunnerInfo& info() const override { return info_; }

  void BeginSequence(SequenceSlot slot, const SamplingParams& params,
                     absl::Span<const int32_t> prompt) override {
    M3_CHECK(slot >= 0 && slot < info_.max_sequences && !slots_[slot].open);
    slots_[slot].open = true;
    samplers_[slot].Reset(params, prompt);
  }

  void EndSequence(SequenceSlot slot) override {
    M3_CHECK(slot >= 0 && slot < info_.max_sequences && slots_[slot].open);
    slots_[slot].open = false;
  }

  absl::Status Run(const Batch& batch, StepOutput* output) override;

 private:
  struct Row {
    int32_t token;
    int32_t position;
  };
  // A row whose logits are needed.
  struct LogitRow {
    int64_t row;
    SequenceSlot slot;
    bool sample;      // choose the next token of the slot from them
    bool return_row;  // copy them to StepOutput::logits
    SampledToken sampled;
  };

  void FillInfo(const CpuRunnerPlan& plan);
  void CollectRows(const Batch& batch);
  void Embed();
  void RunLayer(int index);
  void RunLogitRows(absl::Span<LogitRow> rows, StepOutput* output);
  void SampleRows(absl::Span<LogitRow> rows, StepOutput* output);

  // y = x W^T + bias for all rows of x; added to y when `accumulate`.
  void Multiply(const float* x, int64_t rows, const PackedMatrix& w, const float* bias,
                bool accumulate, FloatMatrix& y) {
    work_.input.Set(x, rows, w.inputs(), dtype_, pool_);
    MatMul(pool_, w, work_.input, bias, accumulate, y.data(), y.width());
  }

  // body(row) for every row, on all threads when the rows together are worth it.
  template <typename Body>
  void ForRows(int64_t rows, int64_t floats_per_row, Body body) {
    if (rows == 1 || rows * floats_per_row < kWorthSharing) {
      for (int64_t row = 0; row < rows; ++row) body(row);
      return;
    }
    pool_.Run([&](int part, int parts) {
      const Range range = ShareOf(rows, part, parts);
      for (int64_t row = range.begin; row < range.end; ++row) body(row);
    });
  }

  const ModelConfig config_;
  const DType dtype_;
  const CpuKernels& kernels_;
  ThreadPool pool_;
  const PackedModel model_;
  KvCache cache_;
  CpuAttention attention_;
  RopeAngles angles_;
  Workspace work_;
  RunnerInfo info_;
  uint64_t step_ = 0;
  std::vector<SlotState> slots_;
  std::deque<SequenceSampler> samplers_;
  std::vector<std::vector<TokenLogprob>> top_logprobs_;  // per slot, while threads sample
  std::vector<Row> rows_;
  std::vector<LogitRow> logit_rows_;
};

void CpuRunner::FillInfo(const CpuRunnerPlan& plan) {
  const std::string_view isa = NameOf(plan.isa);
  info_.device = absl::StrCat("cpu, ", plan.threads, plan.threads == 1 ? " thread, " : " threads, ",
                              absl::string_view(isa.data(), isa.size()), ", ",
                              dtype_ == DType::kF32 ? "f32" : "bf16", " weights");
  info_.vocab = config_.vocab;
  info_.max_context = plan.max_context;
  info_.kv_block_tokens = plan.kv_shape.block_tokens;
  info_.kv_blocks = plan.kv_blocks;
  info_.max_sequences = plan.max_sequences;
  info_.max_batch_rows = plan.max_batch_rows;
  info_.weight_bytes = model_.bytes();
  info_.weight_bytes_per_step = model_.bytes_per_step();
  info_.kv_bytes_per_token = plan.kv_shape.block_bytes() / plan.kv_shape.block_tokens;
}

absl::Status CpuRunner::Run(const Batch& batch, StepOutput* output) {
  output->Clear();
  M3_RETURN_IF_ERROR(CheckBatch(batch, info_, ++step_, slots_));
  if (batch.sequences.empty()) return absl::OkStatus();
  CollectRows(batch);
  Embed();
  attention_.Plan(batch);
  for (int layer = 0; layer < config_.layers; ++layer) RunLayer(layer);
  const absl::Span<LogitRow> rows = absl::MakeSpan(logit_rows_);
  for (size_t begin = 0; begin < rows.size(); begin += work_.logit_rows_at_once) {
    RunLogitRows(rows.subspan(begin, work_.logit_rows_at_once), output);
  }
  return absl::OkStatus();
}

void CpuRunner::CollectRows(const Batch& batch) {
  rows_.clear();
  logit_rows_.clear();
  for (const BatchSequence& sequence : batch.sequences) {
    const int64_t first = rows_.size();
    const int64_t last = first + sequence.tokens.size() - 1;
    int32_t position = sequence.first_position;
    for (const int32_t token : sequence.tokens) rows_.push_back({token, position++});
    for (const int32_t row : sequence.logit_rows) {
      logit_rows_.push_back({first + row, sequence.slot, false, true, {}});
    }
    if (!sequence.sample) continue;
    const bool last_is_there = !sequence.logit_rows.empty() && logit_rows_.back().row == last;
    if (!last_is_there) logit_rows_.push_back({last, sequence.slot, false, false, {}});
    logit_rows_.back().sample = true;
  }
}

void CpuRunner::Embed() {
  ForRows(rows_.size(), config_.hidden, [&](int64_t row) {
    model_.Embed(rows_[row].token, work_.residual.row(row));
    angles_.Set(row, rows_[row].position);
  });
}

void CpuRunner::RunLayer(int index) {
  const PackedLayer& layer = model_.layers()[index];
  const int64_t rows = rows_.size();
  const float eps = static_cast<float>(config_.rms_norm_eps);
  const auto norm = [&](const std::vector<float>& weight) {
    ForRows(rows, config_.hidden, [&](int64_t row) {
      kernels_.rms_norm(work_.residual.row(row), weight.data(), config_.hidden, eps,
                        work_.normed.row(row));
    });
  };
  norm(layer.input_norm);
  Multiply(work_.normed.data(), rows, layer.qkv, DataOrNull(layer.qkv_bias), false, work_.qkv);
  attention_.Run(index, work_.qkv.data(), angles_, work_.attention.data());
  Multiply(work_.attention.data(), rows, layer.o, DataOrNull(layer.o_bias), true, work_.residual);

  norm(layer.post_attention_norm);
  Multiply(work_.normed.data(), rows, layer.gate_up, DataOrNull(layer.gate_up_bias), false,
           work_.gate_up);
  ForRows(rows, config_.mlp, [&](int64_t row) {
    const float* gate = work_.gate_up.row(row);
    kernels_.swiglu(gate, gate + config_.mlp, config_.mlp, work_.activated.row(row));
  });
  Multiply(work_.activated.data(), rows, layer.down, DataOrNull(layer.down_bias), true,
           work_.residual);
}

void CpuRunner::RunLogitRows(absl::Span<LogitRow> rows, StepOutput* output) {
  const float eps = static_cast<float>(config_.rms_norm_eps);
  ForRows(rows.size(), config_.hidden, [&](int64_t i) {
    kernels_.rms_norm(work_.residual.row(rows[i].row), model_.final_norm().data(), config_.hidden,
                      eps, work_.normed.row(i));
  });
  Multiply(work_.normed.data(), rows.size(), model_.lm_head(), nullptr, false, work_.logits);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].return_row) continue;
    const float* logits = work_.logits.row(i);
    output->logits.insert(output->logits.end(), logits, logits + config_.vocab);
  }
  SampleRows(rows, output);
}

void CpuRunner::SampleRows(absl::Span<LogitRow> rows, StepOutput* output) {
  // Sampling overwrites the logits, each sequence has its own sampler: rows are independent.
  ForRows(rows.size(), config_.vocab, [&](int64_t i) {
    LogitRow& row = rows[i];
    if (!row.sample) return;
    top_logprobs_[row.slot].clear();
    row.sampled = samplers_[row.slot].Sample(absl::MakeSpan(work_.logits.row(i), config_.vocab),
                                             &top_logprobs_[row.slot]);
    row.sampled.slot = row.slot;
  });
  for (LogitRow& row : rows) {
    if (!row.sample) continue;
    const std::vector<TokenLogprob>& top = top_logprobs_[row.slot];
    row.sampled.top_begin = static_cast<int32_t>(output->top_logprobs.size());
    output->top_logprobs.insert(output->top_logprobs.end(), top.begin(), top.end());
    output->sampled.push_back(row.sampled);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runner>> CreateCpuRunner(const ModelConfig& config,
                                                        const ModelWeights& weights,
                                                        const CpuRunnerOptions& options) {
  M3_ASSIGN_OR_RETURN(const CpuRunnerPlan plan, PlanCpuRunner(config, options));
  M3_RETURN_IF_ERROR(CheckMemory(plan, AvailableMemoryBytes()));
  return std::make_unique<CpuRunner>(config, weights, options.dtype, plan);
}

}  // namespace memory3
