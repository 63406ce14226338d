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
#include "engine/cpu/available_memory.h"
#include "engine/cpu/cpu_runner_plan.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory_tiles.h"
#include "engine/cpu/packed_model.h"
#include "engine/cpu/reference_encoder.h"
#include "engine/cpu/transformer.h"
#include "engine/cpu/workspace.h"
#include "engine/runner/batch_check.h"
#include "engine/runner/options_check.h"
#include "engine/sampling/sampler.h"

namespace memory3 {
namespace {

class CpuRunner : public Runner {
 public:
  CpuRunner(const ModelConfig& config, const ModelWeights& weights, DType dtype,
            const CpuRunnerPlan& plan)
      : config_(config),
        dtype_(dtype),
        pool_(plan.threads),
        model_(config, weights, dtype, plan.isa, pool_),
        cache_(plan.kv_shape, plan.kv_blocks),
        transformer_(config, dtype, plan.isa, TransformerLimits(plan), plan.kv_shape, model_,
                     pool_),
        slots_(plan.max_sequences),
        top_logprobs_(plan.max_sequences) {
    logit_rows_.reserve(plan.max_batch_rows);
    for (int i = 0; i < plan.max_sequences; ++i) samplers_.emplace_back(config.vocab);
    for (auto& top : top_logprobs_) top.reserve(kMaxTopLogprobs);
    FillInfo(plan);
    if (plan.memory.has_value()) BuildMemory(plan);
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

  absl::Status FillSlot(MemorySlot slot, std::shared_ptr<const MemoryTensor> memory) override {
    if (!memory_tiles_.has_value()) return Runner::FillSlot(slot, std::move(memory));
    M3_CHECK(slot >= 0 && slot < memory_tiles_->slots());
    M3_RETURN_IF_ERROR(CheckMemoryTensor(*memory, info_.memory.shape));
    memory_tiles_->Fill(slot, *memory);
    return absl::OkStatus();
  }

  absl::Status EncodeReferences(
      absl::Span<const absl::Span<const int32_t>> references,
      std::vector<std::shared_ptr<const MemoryTensor>>* memories) override {
    if (!encoder_.has_value()) return Runner::EncodeReferences(references, memories);
    return encoder_->Encode(references, memories);
  }

 private:
  // A row whose logits are needed.
  struct LogitRow {
    int64_t row;
    SequenceSlot slot;
    bool sample;      // choose the next token of the slot from them
    bool return_row;  // copy them to StepOutput::logits
    SampledToken sampled;
  };

  static CpuTransformer::Limits TransformerLimits(const CpuRunnerPlan& plan) {
    const int references = plan.memory.has_value() ? plan.memory->max_references : 0;
    return {plan.work_rows, std::max(plan.max_sequences, references)};
  }
  void FillInfo(const CpuRunnerPlan& plan);
  void BuildMemory(const CpuRunnerPlan& plan);
  const MemoryTiles* memory() const {
    return memory_tiles_.has_value() ? &*memory_tiles_ : nullptr;
  }
  void CollectLogitRows(const Batch& batch);
  void RunLogitRows(absl::Span<LogitRow> rows, StepOutput* output);
  void SampleRows(absl::Span<LogitRow> rows, StepOutput* output);

  const ModelConfig config_;
  const DType dtype_;
  ThreadPool pool_;
  const PackedModel model_;
  KvCache cache_;
  CpuTransformer transformer_;
  std::optional<MemoryTiles> memory_tiles_;
  std::optional<ReferenceEncoder> encoder_;
  RunnerInfo info_;
  uint64_t step_ = 0;
  std::vector<SlotState> slots_;
  std::deque<SequenceSampler> samplers_;
  std::vector<std::vector<TokenLogprob>> top_logprobs_;  // per slot, while threads sample
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
  if (plan.memory.has_value()) {
    info_.memory = MemoryInfoOf(config_, plan.memory->options, plan.memory->max_references);
  }
}

// The prefix attends to itself alone, so its keys and values are computed once for all sequences.
void CpuRunner::BuildMemory(const CpuRunnerPlan& plan) {
  const CpuMemoryPlan& memory = *plan.memory;
  memory_tiles_.emplace(plan.kv_shape, memory.shape, memory.options.config.layers,
                        memory.prefix_tokens(), memory.options.slots);
  const KvBlockId block = 0;
  Batch batch;
  batch.sequences.push_back({.tokens = memory.options.prefix_ids, .block_table = {&block, 1}});
  transformer_.Begin(batch, 0, &memory_tiles_->prefix(), nullptr);
  for (int layer = 0; layer < config_.layers; ++layer) {
    transformer_.Project(layer);
    transformer_.Finish(layer);
  }
  encoder_.emplace(config_, memory, plan.isa, *memory_tiles_, transformer_, pool_);
}

absl::Status CpuRunner::Run(const Batch& batch, StepOutput* output) {
  output->Clear();
  M3_RETURN_IF_ERROR(CheckBatch(
      batch, info_, ++step_, slots_,
      memory_tiles_.has_value() ? memory_tiles_->slot_tokens() : absl::Span<const int32_t>()));
  if (batch.sequences.empty()) return absl::OkStatus();
  CollectLogitRows(batch);
  transformer_.Begin(batch, info_.memory.position_offset, &cache_, memory());
  for (int layer = 0; layer < config_.layers; ++layer) {
    transformer_.Project(layer);
    transformer_.Finish(layer);
  }
  const absl::Span<LogitRow> rows = absl::MakeSpan(logit_rows_);
  const int at_once = transformer_.work().logit_rows_at_once;
  for (size_t begin = 0; begin < rows.size(); begin += at_once) {
    RunLogitRows(rows.subspan(begin, at_once), output);
  }
  return absl::OkStatus();
}

void CpuRunner::CollectLogitRows(const Batch& batch) {
  logit_rows_.clear();
  int64_t next = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    const int64_t first = next;
    next += static_cast<int64_t>(sequence.tokens.size());
    for (const int32_t row : sequence.logit_rows) {
      logit_rows_.push_back({first + row, sequence.slot, false, true, {}});
    }
    if (!sequence.sample) continue;
    const bool last_is_there = !sequence.logit_rows.empty() && logit_rows_.back().row == next - 1;
    if (!last_is_there) logit_rows_.push_back({next - 1, sequence.slot, false, false, {}});
    logit_rows_.back().sample = true;
  }
}

void CpuRunner::RunLogitRows(absl::Span<LogitRow> rows, StepOutput* output) {
  Workspace& work = transformer_.work();
  const auto count = static_cast<int64_t>(rows.size());
  transformer_.Normalize(
      count, [&](int64_t i) { return rows[i].row; }, model_.final_norm(), work.normed);
  transformer_.Multiply(work.normed, count, model_.lm_head(), {}, false, work.logits);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].return_row) continue;
    const float* logits = transformer_.work().logits.row(i);
    output->logits.insert(output->logits.end(), logits, logits + config_.vocab);
  }
  SampleRows(rows, output);
}

void CpuRunner::SampleRows(absl::Span<LogitRow> rows, StepOutput* output) {
  // Sampling overwrites the logits, each sequence has its own sampler: rows are independent.
  transformer_.ForRows(static_cast<int64_t>(rows.size()), config_.vocab, [&](int64_t i) {
    LogitRow& row = rows[i];
    if (!row.sample) return;
    top_logprobs_[row.slot].clear();
    row.sampled = samplers_[row.slot].Sample(
        absl::MakeSpan(transformer_.work().logits.row(i), config_.vocab), &top_logprobs_[row.slot]);
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
