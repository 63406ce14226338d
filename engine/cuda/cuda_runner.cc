#include "engine/cuda/cuda_runner.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/cuda_runner_plan.h"
#include "engine/cuda/decode_graphs.h"
#include "engine/cuda/device_memories.h"
#include "engine/cuda/device_model.h"
#include "engine/cuda/device_sampler.h"
#include "engine/cuda/device_transformer.h"
#include "engine/cuda/kernels/rms_norm.h"
#include "engine/cuda/kv_cache.h"
#include "engine/cuda/products.h"
#include "engine/cuda/reference_encoder.h"
#include "engine/cuda/step_input.h"
#include "engine/cuda/workspace.h"
#include "engine/runner/batch_check.h"
#include "engine/runner/options_check.h"

namespace memory3::cuda {
namespace {

template <typename T>
class CudaRunner : public Runner {
 public:
  // What a runner is made of; allocated before it.
  struct Parts {
    Stream stream;
    DeviceModel<T> model;
    Products products;
    Workspace<T> work;
    StepInput input;
    DeviceSampler sampler;
    std::optional<DeviceMemories<T>> memories;
    KvCache<T> cache;
    Buffer returned_logits;  // pinned
  };
  static absl::StatusOr<Parts> MakeParts(const ModelConfig& config, const ModelWeights& weights,
                                         const CudaRunnerOptions& options,
                                         const CudaRunnerPlan& plan);

  CudaRunner(const ModelConfig& config, const CudaRunnerOptions& options,
             const CudaRunnerPlan& plan, Parts parts)
      : config_(config),
        plan_(plan),
        rule_(options.batch_invariant ? ProductRule::kInvariant : ProductRule::kFast),
        parts_(std::move(parts)),
        transformer_(config, parts_.model, parts_.work, parts_.products),
        slots_(plan.max_sequences),
        prompt_tokens_(plan.max_sequences, 0) {}

  // The rest of what must be there before the first step.
  absl::Status Start(const CudaRunnerOptions& options, absl::string_view device);

  const RunnerInfo& info() const override { return info_; }

  void BeginSequence(SequenceSlot slot, const SamplingParams& params,
                     absl::Span<const int32_t> prompt) override {
    M3_CHECK(slot >= 0 && slot < info_.max_sequences && !slots_[slot].open);
    slots_[slot].open = true;
    slots_[slot].has_sampled = false;
    prompt_tokens_[slot] = static_cast<int32_t>(prompt.size());
    Keep(parts_.sampler.Begin(parts_.stream, slot, params, prompt));
  }

  void EndSequence(SequenceSlot slot) override {
    M3_CHECK(slot >= 0 && slot < info_.max_sequences && slots_[slot].open);
    slots_[slot].open = false;
  }

  absl::Status Run(const Batch& batch, StepOutput* output) override;
  absl::Status StartStep(const Batch& batch) override;
  absl::Status FinishStep(StepOutput* output) override;

  absl::Status FillSlot(MemorySlot slot, std::shared_ptr<const MemoryTensor> memory) override {
    if (!parts_.memories.has_value()) return Runner::FillSlot(slot, std::move(memory));
    M3_CHECK(slot >= 0 && slot < info_.memory.slots);
    M3_RETURN_IF_ERROR(CheckMemoryTensor(*memory, info_.memory.shape));
    return parts_.memories->Fill(slot, *memory);
  }

  absl::Status EncodeReferences(
      absl::Span<const absl::Span<const int32_t>> references,
      std::vector<std::shared_ptr<const MemoryTensor>>* memories) override {
    if (!encoder_.has_value()) return Runner::EncodeReferences(references, memories);
    M3_RETURN_IF_ERROR(CheckReferences(references, info_.memory, info_.vocab));
    const absl::Status status = encoder_->Encode(references, memories);
    // It waits for steps that were started before, and so learns of their errors.
    if (started_ > 0) Keep(status);
    return status;
  }

 private:
  void FillInfo(absl::string_view device);
  absl::Status SetPrefix();
  absl::Status CaptureGraphs();
  absl::Status WarmUp();

  // An error of a call that cannot return one comes out of the next Run.
  void Keep(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }
  // The error that was kept. While steps are on their way it stays: it may be of one behind the
  // step that is told.
  absl::Status TakeStatus() {
    return started_ > 0 ? status_ : std::exchange(status_, absl::OkStatus());
  }
  const DeviceMemories<T>* memories() const {
    return parts_.memories.has_value() ? &*parts_.memories : nullptr;
  }
  StepRules RulesOf(int graph) const;
  // Index of the graph that runs the batch, or -1.
  int GraphOf(const Batch& batch) const;
  DeviceStep<T> CurrentStep(int decode_context) const {
    return {.input = &parts_.input,
            .cache = &parts_.cache,
            .memories = memories(),
            .rule = rule_,
            .decode_context = decode_context,
            .sampled = parts_.sampler.last_token()};
  }
  // Checks a batch and enqueues its layers: the graph that did, which has its logits too, or -1.
  absl::StatusOr<int> EnqueueStep(const Batch& batch);
  void EnqueueLayers(const DeviceStep<T>& step);
  // Logits of rows [first, first + count) of the step's logit rows, and the tokens chosen from
  // them.
  void EnqueueLogits(int32_t first, int32_t count);
  absl::Status FinishLogitRows(absl::Span<const LogitRow> rows, StepOutput* output);

  const ModelConfig config_;
  const CudaRunnerPlan plan_;
  const ProductRule rule_;
  Parts parts_;
  DeviceTransformer<T> transformer_;
  std::optional<ReferenceEncoder<T>> encoder_;
  DecodeGraphs graphs_;
  RunnerInfo info_;
  uint64_t step_ = 0;
  int started_ = 0;  // steps that FinishStep has not seen
  std::vector<SlotState> slots_;
  std::vector<int32_t> prompt_tokens_;  // by slot
  absl::Status status_;
};

template <typename T>
absl::StatusOr<typename CudaRunner<T>::Parts> CudaRunner<T>::MakeParts(
    const ModelConfig& config, const ModelWeights& weights, const CudaRunnerOptions& options,
    const CudaRunnerPlan& plan) {
  M3_ASSIGN_OR_RETURN(Stream stream, Stream::Create());
  M3_ASSIGN_OR_RETURN(DeviceModel<T> model,
                      DeviceModel<T>::Upload(config, weights, plan.max_context, stream));
  M3_ASSIGN_OR_RETURN(Products products, Products::Create(options.skinny_rows));
  M3_ASSIGN_OR_RETURN(Workspace<T> work, Workspace<T>::Create(config, plan.work, stream));
  M3_ASSIGN_OR_RETURN(StepInput input, StepInput::Create(plan.step));
  M3_ASSIGN_OR_RETURN(DeviceSampler sampler, DeviceSampler::Create(plan.sampler));
  std::optional<DeviceMemories<T>> memories;
  if (plan.memory.has_value()) {
    M3_ASSIGN_OR_RETURN(memories, DeviceMemories<T>::Create(plan.memory->shape));
  }
  M3_ASSIGN_OR_RETURN(KvCache<T> cache, KvCache<T>::Create(plan.kv_shape, plan.kv_blocks));
  M3_ASSIGN_OR_RETURN(Buffer returned_logits,
                      Buffer::Allocate(Buffer::Kind::kPinned, plan.returned_logits_bytes));
  return Parts{std::move(stream),   std::move(model), std::move(products),
               std::move(work),     std::move(input), std::move(sampler),
               std::move(memories), std::move(cache), std::move(returned_logits)};
}

template <typename T>
absl::Status CudaRunner<T>::Start(const CudaRunnerOptions& options, absl::string_view device) {
  FillInfo(device);
  parts_.stream.OverlapKernels(options.overlap);
  M3_RETURN_IF_ERROR(transformer_.Prepare(plan_.work.rows));
  M3_RETURN_IF_ERROR(parts_.products.Prepare(ProductArgs<T, float>{
      .rows = plan_.work.logit_rows, .inputs = config_.hidden, .outputs = config_.vocab}));
  if (plan_.memory.has_value()) {
    M3_RETURN_IF_ERROR(SetPrefix());
    M3_ASSIGN_OR_RETURN(
        ReferenceEncoder<T> encoder,
        ReferenceEncoder<T>::Create(config_, *plan_.memory,
                                    rule_ == ProductRule::kFast ? ProductRule::kFixedSlices : rule_,
                                    {.stream = parts_.stream,
                                     .input = parts_.input,
                                     .model = parts_.model,
                                     .work = parts_.work,
                                     .memories = *parts_.memories,
                                     .transformer = transformer_}));
    encoder_.emplace(std::move(encoder));
  }
  if (options.graphs) {
    M3_RETURN_IF_ERROR(CaptureGraphs());
    M3_RETURN_IF_ERROR(WarmUp());
  }
  return parts_.stream.Synchronize();
}

template <typename T>
void CudaRunner<T>::FillInfo(absl::string_view device) {
  info_.device =
      absl::StrCat("cuda, ", device, ", ", plan_.dtype == DType::kF32 ? "f32" : "bf16", " weights",
                   rule_ == ProductRule::kInvariant ? ", batch-invariant" : "");
  info_.memory_plan = plan_.Summary();
  info_.vocab = config_.vocab;
  info_.max_context = plan_.max_context;
  info_.kv_block_tokens = plan_.kv_shape.block_tokens;
  info_.kv_blocks = plan_.kv_blocks;
  info_.max_sequences = plan_.max_sequences;
  info_.max_batch_rows = plan_.max_batch_rows;
  info_.weight_bytes = parts_.model.bytes();
  info_.weight_bytes_per_step = parts_.model.bytes_per_step();
  info_.runs_ahead = true;
  info_.kv_bytes_per_token = KvCache<T>::BlockBytes(plan_.kv_shape) / plan_.kv_shape.block_tokens;
  if (plan_.memory.has_value()) {
    info_.memory = MemoryInfoOf(config_, plan_.memory->options, plan_.memory->max_references);
  }
}

// The prefix attends to itself alone, so its keys and values are computed once for all sequences.
template <typename T>
absl::Status CudaRunner<T>::SetPrefix() {
  const CudaMemoryPlan& memory = *plan_.memory;
  const int block_tokens = plan_.kv_shape.block_tokens;
  std::vector<KvBlockId> blocks((memory.prefix_tokens() + block_tokens - 1) / block_tokens);
  std::iota(blocks.begin(), blocks.end(), 0);
  M3_ASSIGN_OR_RETURN(const KvCache<T> cache,
                      KvCache<T>::Create(plan_.kv_shape, static_cast<int>(blocks.size())));
  Batch batch;
  batch.sequences.push_back({.tokens = memory.options.prefix_ids, .block_table = blocks});
  M3_RETURN_IF_ERROR(parts_.input.Build(batch, {}));
  parts_.input.Upload(parts_.stream);
  EnqueueLayers({.input = &parts_.input, .cache = &cache, .rule = rule_});
  parts_.memories->SetPrefix(parts_.stream, cache);
  return parts_.stream.Synchronize();
}

template <typename T>
absl::Status CudaRunner<T>::CaptureGraphs() {
  return graphs_.Capture(
      parts_.stream, DecodeSizes(plan_.max_sequences, plan_.max_context),
      [this](const DecodeSize& size) {
        const Batch nothing;
        const int block_tokens = plan_.kv_shape.block_tokens;
        const absl::Status status = parts_.input.Build(
            nothing, {.padded_rows = size.rows,
                      .table_blocks = (size.context + block_tokens - 1) / block_tokens});
        parts_.input.Upload(parts_.stream);
        return status;
      },
      [this](const DecodeSize& size) {
        EnqueueLayers(CurrentStep(size.context));
        EnqueueLogits(0, size.rows);
      });
}

// Runs once what no graph has run: code is loaded, and takes its memory, when it first runs, which
// no request shall wait for. Prompt steps of rising size, for the library's products have kernels
// of their own for many of them. What is written, the next who uses it overwrites.
template <typename T>
absl::Status CudaRunner<T>::WarmUp() {
  const int block_tokens = plan_.kv_shape.block_tokens;
  const int most = std::min({plan_.max_batch_rows, plan_.max_context - info_.memory.position_offset,
                             plan_.kv_blocks * block_tokens});
  std::vector<KvBlockId> blocks((most + block_tokens - 1) / block_tokens);
  std::iota(blocks.begin(), blocks.end(), 0);
  const std::vector<int32_t> tokens(most, 0);
  for (int rows = std::min(most, 2 * kMaxSkinnyRows);; rows = std::min(most, 2 * rows)) {
    Batch batch;
    batch.sequences.push_back({.tokens = absl::MakeConstSpan(tokens).subspan(0, rows),
                               .block_table = blocks,
                               .use_memory = plan_.memory.has_value()});
    M3_RETURN_IF_ERROR(parts_.input.Build(batch, {.memory_offset = info_.memory.position_offset}));
    parts_.input.Upload(parts_.stream);
    EnqueueLayers(CurrentStep(0));
    M3_RETURN_IF_ERROR(parts_.stream.Synchronize());
    if (rows == most) break;
  }
  SamplingParams params;
  params.repetition_penalty = 2;  // marks the prompt
  M3_RETURN_IF_ERROR(parts_.sampler.Begin(parts_.stream, 0, params, {0}));
  if (!encoder_.has_value()) return absl::OkStatus();
  const absl::Span<const int32_t> reference = absl::MakeConstSpan(tokens).subspan(0, 1);
  std::vector<std::shared_ptr<const MemoryTensor>> memories;
  return encoder_->Encode({reference}, &memories);
}

template <typename T>
void CudaRunner<T>::EnqueueLayers(const DeviceStep<T>& step) {
  transformer_.Embed(parts_.stream, step);
  for (int layer = 0; layer < config_.layers; ++layer) {
    transformer_.Project(parts_.stream, step, layer);
    transformer_.Store(parts_.stream, step, layer);
    transformer_.Finish(parts_.stream, step, layer);
  }
}

template <typename T>
void CudaRunner<T>::EnqueueLogits(int32_t first, int32_t count) {
  Workspace<T>& work = parts_.work;
  RmsNorm(parts_.stream, RmsNormArgs<T>{.residual = work.residual,
                                        .row_of = parts_.input.logit_row() + first,
                                        .weight = parts_.model.final_norm(),
                                        .out = work.normed_logit_rows,
                                        .rows = count,
                                        .width = config_.hidden,
                                        .epsilon = static_cast<float>(config_.rms_norm_eps)});
  parts_.products.Multiply(parts_.stream, rule_,
                           ProductArgs<T, float>{.x = work.normed_logit_rows,
                                                 .w = parts_.model.lm_head(),
                                                 .y = work.logits,
                                                 .rows = count,
                                                 .inputs = config_.hidden,
                                                 .outputs = config_.vocab});
  parts_.sampler.Sample(parts_.stream, work.logits, parts_.input.sample_slot() + first, count);
}

template <typename T>
int CudaRunner<T>::GraphOf(const Batch& batch) const {
  int context = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    const bool decode = sequence.tokens.size() == 1 &&
                        sequence.first_position >= prompt_tokens_[sequence.slot] &&
                        sequence.logit_rows.empty();
    if (!decode) return -1;
    context = std::max(context, sequence.first_position + 1);
  }
  return graphs_.Find(static_cast<int>(batch.sequences.size()), context);
}

template <typename T>
StepRules CudaRunner<T>::RulesOf(int graph) const {
  StepRules rules = {.memory_offset = info_.memory.position_offset,
                     .prompt_tokens = prompt_tokens_};
  if (graph < 0) return rules;
  const DecodeSize& size = graphs_.size(graph);
  rules.padded_rows = size.rows;
  rules.table_blocks =
      (size.context + plan_.kv_shape.block_tokens - 1) / plan_.kv_shape.block_tokens;
  return rules;
}

template <typename T>
absl::StatusOr<int> CudaRunner<T>::EnqueueStep(const Batch& batch) {
  M3_RETURN_IF_ERROR(TakeStatus());
  M3_RETURN_IF_ERROR(
      CheckBatch(batch, info_, ++step_, slots_,
                 memories() == nullptr ? absl::Span<const int32_t>() : memories()->slot_tokens()));
  const int graph = GraphOf(batch);
  M3_RETURN_IF_ERROR(parts_.input.Build(batch, RulesOf(graph)));
  if (parts_.memories.has_value()) parts_.memories->BeginStep(parts_.stream, batch);
  parts_.input.Upload(parts_.stream);
  if (graph >= 0) {
    graphs_.Launch(graph, parts_.stream);
  } else {
    EnqueueLayers(CurrentStep(parts_.input.decode_context()));
  }
  if (parts_.memories.has_value()) parts_.memories->EndStep(parts_.stream);
  return graph;
}

template <typename T>
absl::Status CudaRunner<T>::Run(const Batch& batch, StepOutput* output) {
  M3_CHECK(started_ == 0);
  output->Clear();
  if (batch.sequences.empty()) return absl::OkStatus();
  M3_ASSIGN_OR_RETURN(const int graph, EnqueueStep(batch));
  const absl::Span<const LogitRow> rows = parts_.input.logit_rows();
  if (graph >= 0) return FinishLogitRows(rows, output);
  const size_t at_once = plan_.max_sequences;
  for (size_t begin = 0; begin < rows.size(); begin += at_once) {
    const absl::Span<const LogitRow> piece = rows.subspan(begin, at_once);
    EnqueueLogits(static_cast<int32_t>(begin), static_cast<int32_t>(piece.size()));
    M3_RETURN_IF_ERROR(FinishLogitRows(piece, output));
  }
  return parts_.stream.Synchronize();
}

template <typename T>
absl::Status CudaRunner<T>::StartStep(const Batch& batch) {
  M3_CHECK(started_ < kMaxStepsStarted);
  const bool returns =
      std::any_of(batch.sequences.begin(), batch.sequences.end(),
                  [](const BatchSequence& sequence) { return !sequence.logit_rows.empty(); });
  if (returns || batch.sequences.empty()) {
    return absl::InvalidArgumentError("a step that is started has sequences and no logit_rows");
  }
  M3_ASSIGN_OR_RETURN(const int graph, EnqueueStep(batch));
  // One row of a sequence at most: all logits fit at once.
  const absl::Span<const LogitRow> rows = parts_.input.logit_rows();
  if (graph < 0 && !rows.empty()) EnqueueLogits(0, static_cast<int32_t>(rows.size()));
  parts_.sampler.FetchResults(parts_.stream, rows);
  ++started_;
  return absl::OkStatus();
}

template <typename T>
absl::Status CudaRunner<T>::FinishStep(StepOutput* output) {
  M3_CHECK(started_ > 0);
  output->Clear();
  --started_;
  Keep(parts_.sampler.Collect(parts_.stream, output));
  return TakeStatus();
}

template <typename T>
absl::Status CudaRunner<T>::FinishLogitRows(absl::Span<const LogitRow> rows, StepOutput* output) {
  const bool returns =
      std::any_of(rows.begin(), rows.end(), [](const LogitRow& row) { return row.return_row; });
  const int64_t vocab = config_.vocab;
  float* const logits = parts_.returned_logits.template data<float>();
  if (returns) {
    parts_.stream.CopyToHost(logits, parts_.work.logits, rows.size() * vocab * sizeof(float));
  }
  parts_.sampler.FetchResults(parts_.stream, rows);
  M3_RETURN_IF_ERROR(parts_.sampler.Collect(parts_.stream, output));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].return_row) continue;
    output->logits.insert(output->logits.end(), logits + i * vocab, logits + (i + 1) * vocab);
  }
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<std::unique_ptr<Runner>> Create(const ModelConfig& config,
                                               const ModelWeights& weights,
                                               const CudaRunnerOptions& options,
                                               const CudaRunnerPlan& plan,
                                               const std::string& device) {
  M3_ASSIGN_OR_RETURN(typename CudaRunner<T>::Parts parts,
                      CudaRunner<T>::MakeParts(config, weights, options, plan));
  auto runner = std::make_unique<CudaRunner<T>>(config, options, plan, std::move(parts));
  M3_RETURN_IF_ERROR(runner->Start(options, device));
  return runner;
}

}  // namespace
}  // namespace memory3::cuda

namespace memory3 {

absl::StatusOr<std::unique_ptr<Runner>> CreateCudaRunner(const ModelConfig& config,
                                                         const ModelWeights& weights,
                                                         const CudaRunnerOptions& options) {
  M3_RETURN_IF_ERROR(CudaAvailable());
  M3_ASSIGN_OR_RETURN(const int64_t free_bytes, cuda::FreeDeviceBytes());
  M3_ASSIGN_OR_RETURN(const std::string device, cuda::DeviceName());
  M3_ASSIGN_OR_RETURN(const cuda::CudaRunnerPlan plan,
                      cuda::PlanCudaRunner(config, options, free_bytes));
  if (plan.dtype == DType::kF32) {
    return cuda::Create<float>(config, weights, options, plan, device);
  }
  return cuda::Create<cuda::BFloat16>(config, weights, options, plan, device);
}

}  // namespace memory3
