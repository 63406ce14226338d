#include "server/model_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/device_runner.h"
#include "engine/memory/reference_prefix.h"
#include "engine/model/fingerprint.h"
#include "engine/model/memory_config.h"
#include "engine/model/weights.h"

namespace memory3 {
namespace {

// What a sequence with memory may hold at once: the current chunk's memories and the next one's.
constexpr int kChunksHeld = 2;
constexpr int64_t kDefaultMemorySlotBytes = int64_t{1} << 30;

// Enough for every sequence to run at once, unless memories are so wide that slots would take the
// machine's memory: then fewer sequences with memory run at once, at least one.
int DefaultSlots(const MemoryShape& shape, int per_sequence, int max_sequences) {
  const int64_t fitting = kDefaultMemorySlotBytes / shape.bytes();
  const int64_t wanted = int64_t{per_sequence} * max_sequences;
  return static_cast<int>(std::max<int64_t>(per_sequence, std::min(wanted, fitting)));
}

absl::StatusOr<RunnerMemoryOptions> RunnerMemory(const ServerOptions& options,
                                                 const ServedModel& model) {
  RunnerMemoryOptions memory;
  M3_ASSIGN_OR_RETURN(
      memory.config,
      LoadMemoryConfig(options.model_dir, options.memory.config_override, model.config));
  M3_ASSIGN_OR_RETURN(memory.prefix_ids,
                      ReferencePrefixIds(memory.config, model.config, *model.tokenizer));
  const int per_sequence = kChunksHeld * memory.config.memories_per_chunk;
  memory.slots = options.memory.slots > 0 ? options.memory.slots
                                          : DefaultSlots(MemoryShapeOf(memory.config, model.config),
                                                         per_sequence, options.max_sequences);
  if (memory.slots < per_sequence) {
    return absl::InvalidArgumentError(
        absl::StrCat("--memory_slots: one sequence needs ", per_sequence, ", got ", memory.slots));
  }
  if (options.memory.lead_tokens >= memory.config.chunk_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("--lead_tokens: must be below the chunk's ",
                                                   memory.config.chunk_tokens, " tokens, got ",
                                                   options.memory.lead_tokens));
  }
  return memory;
}

// Also opens the bank, whose fingerprint needs the weights.
absl::StatusOr<std::unique_ptr<Runner>> LoadRunner(const ServerOptions& options,
                                                   ServedModel& model) {
  DeviceRunnerOptions runner = {
      .device = options.device,
      .dtype = options.dtype,
      .max_sequences = options.max_sequences,
      .max_batch_rows = std::max(options.max_batch_tokens, options.max_sequences),
      .max_context = options.max_context,
      .kv_cache_bytes = options.kv_cache_bytes,
      .threads = options.threads,
      .memory_fraction = options.device_memory_fraction,
      .batch_invariant = options.batch_invariant,
      .skinny_rows = options.skinny_rows};
  M3_ASSIGN_OR_RETURN(const ModelWeights weights,
                      ModelWeights::Open(options.model_dir, model.config));
  model.parameters = weights.parameters();
  if (!options.memory.bank.empty()) {
    M3_ASSIGN_OR_RETURN(runner.memory, RunnerMemory(options, model));
    const MemoryConfig& config = runner.memory->config;
    M3_ASSIGN_OR_RETURN(
        model.memory,
        ServedMemory::Open(options.memory,
                           {.fingerprint = ModelFingerprint(model.config, config,
                                                            runner.memory->prefix_ids, weights),
                            .shape = MemoryShapeOf(config, model.config),
                            .memories_per_chunk = config.memories_per_chunk,
                            .reference_tokens = config.reference_tokens,
                            .tokenizer = model.tokenizer.get()}));
  }
  return CreateDeviceRunner(model.config, weights, runner);
}

// What requests are checked against.
void FillContext(const ServerOptions& options, ServedModel& model) {
  const RunnerInfo& info = model.engine->runner_info();
  RequestContext& context = model.context;
  context.model_names = options.model_names;
  if (context.model_names.empty()) {
    // "models/x/" has an empty file name; its parent's is the folder's.
    const std::filesystem::path folder =
        std::filesystem::absolute(options.model_dir).lexically_normal();
    context.model_names = {folder.has_filename() ? folder.filename().string()
                                                 : folder.parent_path().filename().string()};
  }
  context.tokenizer = model.tokenizer.get();
  context.chat_template = model.chat_template.has_value() ? &*model.chat_template : nullptr;
  context.special_tokens = &*model.special_tokens;
  context.vocab = info.vocab;
  context.bos_token = model.config.bos_token;
  context.defaults = options.default_sampling;
  if (model.memory != nullptr) {
    context.memory = MemoryContext{options.memory.default_policy, info.memory.position_offset,
                                   options.memory.used_by_default};
  }
  const int longest_answer = info.max_context - 1;
  context.limits = {
      .max_context_tokens = info.max_context,
      .max_completion_tokens = options.max_completion_tokens > 0
                                   ? std::min(options.max_completion_tokens, longest_answer)
                                   : longest_answer,
      .max_concurrent_sequences = info.max_sequences,
      .max_queued_requests = options.max_queued_requests,
      .max_queued_prompt_tokens = options.max_queued_prompt_tokens,
      .max_request_bytes = options.grpc.max_request_bytes};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedModel>> LoadServedModel(const ServerOptions& options,
                                                             EngineObserver* observer) {
  auto model = std::make_unique<ServedModel>();
  M3_ASSIGN_OR_RETURN(model->config, LoadModelConfig(options.model_dir));
  M3_ASSIGN_OR_RETURN(model->tokenizer, LoadTokenizer(options.model_dir));
  if (model->tokenizer->vocab_size() > model->config.vocab) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.model_dir.string(), ": the tokenizer has ", model->tokenizer->vocab_size(),
        " tokens, config.json's vocab_size is ", model->config.vocab));
  }
  M3_ASSIGN_OR_RETURN(model->chat_template, ChatTemplate::Load(options.model_dir));
  model->special_tokens.emplace(*model->tokenizer);
  model->dtype = options.dtype == DType::kF32 ? "f32" : "bf16";
  M3_ASSIGN_OR_RETURN(std::unique_ptr<Runner> runner, LoadRunner(options, *model));
  // A whole context must fit in the queue, or a legal request could never be taken.
  const int64_t queued_tokens =
      std::max<int64_t>(options.max_queued_prompt_tokens, runner->info().max_context);
  EngineOptions engine_options = {.max_queued_requests = options.max_queued_requests,
                                  .max_queued_prompt_tokens = queued_tokens,
                                  .max_batch_tokens = options.max_batch_tokens,
                                  .max_stream_events = options.max_stream_events,
                                  .eos_tokens = model->config.eos_tokens};
  if (model->memory != nullptr) engine_options.memory = model->memory->ForEngine();
  M3_ASSIGN_OR_RETURN(model->engine, Engine::Create(engine_options, std::move(runner),
                                                    *model->tokenizer, observer));
  FillContext(options, *model);
  return model;
}

absl::Status WarmUp(ServedModel& model) {
  constexpr int kWarmUpPrompt = 8, kWarmUpTokens = 4;
  GenerationRequest request;
  const int context = model.engine->runner_info().max_context;
  request.max_tokens = std::min(kWarmUpTokens, std::max(1, context / 2));
  request.prompt.assign(std::min(kWarmUpPrompt, std::max(1, context - request.max_tokens)),
                        model.config.bos_token);
  request.sampling.temperature = 0;
  request.ignore_eos = true;
  M3_ASSIGN_OR_RETURN(const Generation generation, model.engine->Submit(std::move(request)));
  while (const std::optional<GenerationEvent> event = generation.stream->Next()) {
    if (!event->status.ok()) return event->status;
  }
  return absl::OkStatus();
}

}  // namespace memory3
