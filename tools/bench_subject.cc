#include "tools/bench_subject.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/device_runner.h"
#include "engine/memory/reference_prefix.h"
#include "engine/model/weights.h"
#include "tools/model_cost.h"

ABSL_FLAG(std::string, model_dir, "", "Hugging Face model folder. Required.");
ABSL_FLAG(
    std::string, memory_config, "",
    "memory: JSON object that overrides config.json's memory3, e.g. '{\"kept_tokens\": 128}'.");
ABSL_FLAG(std::vector<std::string>, batch, std::vector<std::string>({"1", "8", "16"}),
          "Numbers of sequences that run together; a row for each.");
ABSL_FLAG(std::string, device, "auto", "cpu, cuda, or auto: cuda where it can be had.");
ABSL_FLAG(bool, batch_invariant, false,
          "cuda: bits of a sequence do not depend on its batch (docs/tuning.md).");
ABSL_FLAG(int, skinny_rows, memory3::kMostSkinnyRows,
          "cuda: rows of a step up to which our own products are used instead of cuBLASLt's.");
ABSL_FLAG(std::string, dtype, "bf16", "Weights and KV cache: bf16 or f32.");
ABSL_FLAG(int, threads, 0, "Compute threads of the CPU; 0: one per core.");
ABSL_FLAG(int, max_batch_tokens, 256, "Rows of one step: decoding sequences and prompt pieces.");

namespace memory3 {
namespace {

absl::StatusOr<DType> DTypeFromFlag() {
  const std::string name = absl::GetFlag(FLAGS_dtype);
  if (name == "bf16") return DType::kBF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(
      absl::StrCat("--dtype: must be bf16 or f32, got \"", name, "\""));
}

DeviceRunnerOptions RunnerOptions(const BenchSubject& subject, int sequences, int context) {
  DeviceRunnerOptions options;
  options.dtype = subject.dtype;
  options.threads = absl::GetFlag(FLAGS_threads);
  options.max_sequences = sequences;
  options.max_context = context;
  options.max_batch_rows = std::max(absl::GetFlag(FLAGS_max_batch_tokens), sequences);
  constexpr int kBlockTokens = 16;  // of the runners, unless told otherwise
  const int64_t blocks = (context + kBlockTokens - 1) / kBlockTokens;
  options.kv_cache_bytes =
      sequences * blocks * kBlockTokens * KvBytesPerToken(subject.config, SizeOf(subject.dtype));
  return options;
}

}  // namespace

absl::StatusOr<BenchSubject> LoadBenchSubject(int sequences, int context, int memory_slots) {
  const std::string folder = absl::GetFlag(FLAGS_model_dir);
  if (folder.empty()) return absl::InvalidArgumentError("--model_dir: must be given");
  if (absl::GetFlag(FLAGS_max_batch_tokens) < 1) {
    return absl::InvalidArgumentError("--max_batch_tokens: must be positive");
  }
  BenchSubject subject;
  M3_ASSIGN_OR_RETURN(subject.dtype, DTypeFromFlag());
  M3_ASSIGN_OR_RETURN(subject.config, LoadModelConfig(folder));
  if (context > subject.config.max_context) {
    return absl::InvalidArgumentError(absl::StrCat("the requests need a context of ", context,
                                                   " tokens; the model has ",
                                                   subject.config.max_context));
  }
  M3_ASSIGN_OR_RETURN(subject.tokenizer, LoadTokenizer(folder));
  DeviceRunnerOptions options = RunnerOptions(subject, sequences, context);
  M3_ASSIGN_OR_RETURN(const Device device, ParseDevice(absl::GetFlag(FLAGS_device)));
  M3_ASSIGN_OR_RETURN(subject.device, ResolveDevice(device));
  options.device = subject.device;
  options.batch_invariant = absl::GetFlag(FLAGS_batch_invariant);
  options.skinny_rows = absl::GetFlag(FLAGS_skinny_rows);
  if (memory_slots > 0) {
    RunnerMemoryOptions memory;
    M3_ASSIGN_OR_RETURN(memory.config, LoadMemoryConfig(folder, absl::GetFlag(FLAGS_memory_config),
                                                        subject.config));
    M3_ASSIGN_OR_RETURN(memory.prefix_ids,
                        ReferencePrefixIds(memory.config, subject.config, *subject.tokenizer));
    memory.slots = memory_slots;
    options.memory = memory;
  }
  M3_ASSIGN_OR_RETURN(const ModelWeights weights, ModelWeights::Open(folder, subject.config));
  M3_ASSIGN_OR_RETURN(subject.runner, CreateDeviceRunner(subject.config, weights, options));
  return subject;
}

absl::StatusOr<std::unique_ptr<Engine>> StartBenchEngine(BenchSubject& subject, int sequences,
                                                         int context,
                                                         std::optional<EngineMemory> memory) {
  EngineOptions options;
  options.max_queued_requests = sequences;
  options.max_queued_prompt_tokens = int64_t{sequences} * context;
  options.max_batch_tokens = subject.runner->info().max_batch_rows;
  options.max_stream_events = context;
  options.eos_tokens = subject.config.eos_tokens;
  options.memory = memory;
  return Engine::Create(options, std::move(subject.runner), *subject.tokenizer);
}

}  // namespace memory3
