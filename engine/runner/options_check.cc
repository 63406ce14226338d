#include "engine/runner/options_check.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// A configuration from a file was checked when it was read; one made by hand was not.
absl::Status CheckMemoryConfig(const ModelConfig& config, const MemoryConfig& memory) {
  const bool ascend = std::adjacent_find(memory.layers.begin(), memory.layers.end(),
                                         std::greater_equal<>()) == memory.layers.end();
  if (memory.layers.empty() || !ascend || memory.layers.front() < 0 ||
      memory.layers.back() >= config.layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory.config.layers must ascend in [0, ", config.layers, "), at least one"));
  }
  if (memory.reference_tokens < 1) {
    return RefuseOption("memory.config.reference_tokens", "above 0", memory.reference_tokens);
  }
  if (memory.kept_tokens < 1 || memory.kept_tokens > memory.reference_tokens) {
    return RefuseOption("memory.config.kept_tokens",
                        absl::StrCat("in [1, ", memory.reference_tokens, "]"), memory.kept_tokens);
  }
  if (memory.memories_per_chunk < 1) {
    return RefuseOption("memory.config.memories_per_chunk", "above 0", memory.memories_per_chunk);
  }
  if (memory.chunk_tokens < 1) {
    return RefuseOption("memory.config.chunk_tokens", "above 0", memory.chunk_tokens);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RefuseOption(absl::string_view option, absl::string_view range, int64_t got) {
  return absl::InvalidArgumentError(absl::StrCat(option, " must be ", range, ", got ", got));
}

absl::Status CheckRunnerLimits(const ModelConfig& config, const RunnerLimits& limits) {
  if (limits.dtype != DType::kF32 && limits.dtype != DType::kBF16) {
    return absl::InvalidArgumentError("dtype must be F32 or BF16");
  }
  if (limits.max_sequences < 1 || limits.max_sequences > kMaxSequences) {
    return RefuseOption("max_sequences", absl::StrCat("in [1, ", kMaxSequences, "]"),
                        limits.max_sequences);
  }
  if (limits.max_batch_rows < 1 || limits.max_batch_rows > kMaxBatchRows) {
    return RefuseOption("max_batch_rows", absl::StrCat("in [1, ", kMaxBatchRows, "]"),
                        limits.max_batch_rows);
  }
  if (limits.max_context < 0 || limits.max_context > config.max_context) {
    return RefuseOption("max_context",
                        absl::StrCat("0 or at most the model's ", config.max_context),
                        limits.max_context);
  }
  if (limits.kv_block_tokens < kKvBlockMultiple || limits.kv_block_tokens > kMaxKvBlockTokens ||
      limits.kv_block_tokens % kKvBlockMultiple != 0) {
    return RefuseOption(
        "kv_block_tokens",
        absl::StrCat("a multiple of ", kKvBlockMultiple, " up to ", kMaxKvBlockTokens),
        limits.kv_block_tokens);
  }
  if (limits.kv_cache_bytes < 0) {
    return RefuseOption("kv_cache_bytes", "0 or more", limits.kv_cache_bytes);
  }
  return absl::OkStatus();
}

absl::Status CheckMemoryOptions(const ModelConfig& config, const RunnerMemoryOptions& options,
                                int max_context) {
  const MemoryConfig& memory = options.config;
  M3_RETURN_IF_ERROR(CheckMemoryConfig(config, memory));
  if (options.dtype != DType::kF32 && options.dtype != DType::kBF16) {
    return absl::InvalidArgumentError("memory.dtype must be F32 or BF16");
  }
  if (options.slots < memory.memories_per_chunk || options.slots > kMaxMemorySlots) {
    return RefuseOption("memory.slots",
                        absl::StrCat("in [", memory.memories_per_chunk, ", ", kMaxMemorySlots, "]"),
                        options.slots);
  }
  if (options.prefix_ids.empty()) {
    return absl::InvalidArgumentError("memory.prefix_ids must not be empty");
  }
  for (const int32_t id : options.prefix_ids) {
    if (id < 0 || id >= config.vocab) {
      return RefuseOption("memory.prefix_ids", absl::StrCat("token ids in [0, ", config.vocab, ")"),
                          id);
    }
  }
  const int64_t offset = static_cast<int64_t>(options.prefix_ids.size()) + memory.reference_tokens;
  if (offset >= max_context) {
    return absl::InvalidArgumentError(
        absl::StrCat("a context of ", max_context, " tokens has no room beside the prefix of ",
                     options.prefix_ids.size(), " and references of ", memory.reference_tokens));
  }
  return absl::OkStatus();
}

RunnerMemoryInfo MemoryInfoOf(const ModelConfig& config, const RunnerMemoryOptions& options,
                              int max_references_per_encode) {
  const MemoryConfig& memory = options.config;
  const int prefix_tokens = static_cast<int>(options.prefix_ids.size());
  return {.shape = MemoryShapeOf(memory, config, options.dtype),
          .slots = options.slots,
          .memories_per_chunk = memory.memories_per_chunk,
          .chunk_tokens = memory.chunk_tokens,
          .reference_tokens = memory.reference_tokens,
          .prefix_tokens = prefix_tokens,
          .position_offset = prefix_tokens + memory.reference_tokens,
          .max_references_per_encode = max_references_per_encode};
}

absl::Status CheckReferences(absl::Span<const absl::Span<const int32_t>> references,
                             const RunnerMemoryInfo& info, int vocab) {
  if (static_cast<int64_t>(references.size()) > info.max_references_per_encode) {
    return absl::InvalidArgumentError(absl::StrCat(references.size(),
                                                   " references at once, at most ",
                                                   info.max_references_per_encode, " fit"));
  }
  const int most = info.reference_tokens;
  for (size_t i = 0; i < references.size(); ++i) {
    if (references[i].empty() || static_cast<int64_t>(references[i].size()) > most) {
      return absl::InvalidArgumentError(absl::StrCat("reference ", i, " must have 1 to ", most,
                                                     " tokens, got ", references[i].size()));
    }
    for (const int32_t token : references[i]) {
      if (token >= 0 && token < vocab) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("reference ", i, ": token ", token, " is not in [0, ", vocab, ")"));
    }
  }
  return absl::OkStatus();
}

}  // namespace memory3
