#include "tools/memory_subject.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/device_runner.h"
#include "engine/memory/reference_prefix.h"
#include "engine/model/weights.h"

namespace memory3 {
namespace {

absl::StatusOr<DType> DTypeNamed(const std::string& name) {
  if (name == "bf16") return DType::kBF16;
  if (name == "f32") return DType::kF32;
  return absl::InvalidArgumentError(
      absl::StrCat("--dtype: must be bf16 or f32, got \"", name, "\""));
}

}  // namespace

absl::StatusOr<MemorySubject> LoadMemorySubject(const MemorySubjectOptions& options) {
  const std::string& folder = options.model_dir;
  if (folder.empty()) return absl::InvalidArgumentError("--model_dir: must be given");
  MemorySubject subject;
  M3_ASSIGN_OR_RETURN(const DType dtype, DTypeNamed(options.dtype));
  M3_ASSIGN_OR_RETURN(subject.config, LoadModelConfig(folder));
  M3_ASSIGN_OR_RETURN(subject.memory,
                      LoadMemoryConfig(folder, options.memory_config, subject.config));
  M3_ASSIGN_OR_RETURN(subject.tokenizer, LoadTokenizer(folder));
  M3_ASSIGN_OR_RETURN(const ModelWeights weights, ModelWeights::Open(folder, subject.config));
  RunnerMemoryOptions memory;
  memory.config = subject.memory;
  memory.slots = std::max(subject.memory.memories_per_chunk, options.memory_slots);
  memory.dtype = dtype;
  M3_ASSIGN_OR_RETURN(memory.prefix_ids,
                      ReferencePrefixIds(subject.memory, subject.config, *subject.tokenizer));
  DeviceRunnerOptions runner;
  M3_ASSIGN_OR_RETURN(runner.device, ParseDevice(options.device));
  runner.dtype = dtype;
  runner.threads = options.threads;
  runner.max_sequences = options.max_sequences;
  if (options.max_context > 0) {
    runner.max_context = std::min(options.max_context, subject.config.max_context);
  }
  runner.memory = std::move(memory);
  M3_ASSIGN_OR_RETURN(subject.runner, CreateDeviceRunner(subject.config, weights, runner));
  return subject;
}

}  // namespace memory3
