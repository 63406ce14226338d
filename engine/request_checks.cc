#include "engine/request_checks.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/sampling/sampler.h"
#include "engine/sched/scheduler.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

absl::Status CheckIds(std::string_view field, const std::vector<int32_t>& ids, int vocab) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab) continue;
    return FieldError(absl::StrCat(std::string(field), "[", i, "]"),
                      absl::StrCat("must be a token id in [0, ", vocab, "), got ", ids[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckLengths(const GenerationRequest& request, const RunnerInfo& info) {
  const int64_t prompt = static_cast<int64_t>(request.prompt.size());
  const int offset = request.memory.enabled ? info.memory.position_offset : 0;
  const int context = info.max_context - offset;
  const std::string context_text = offset == 0
                                       ? absl::StrCat(context)
                                       : absl::StrCat(context, " (", info.max_context, " less ",
                                                      offset, " that explicit memory takes)");
  if (prompt == 0) return FieldError("prompt", "must have at least one token");
  if (prompt >= context) {
    return FieldError("prompt", absl::StrCat("has ", prompt, " tokens; the context is ",
                                             context_text, ", the answer included"));
  }
  if (request.max_tokens <= 0) {
    return FieldError("max_tokens", absl::StrCat("must be above 0, got ", request.max_tokens));
  }
  if (prompt + request.max_tokens > context) {
    return FieldError("max_tokens",
                      absl::StrCat("of ", request.max_tokens, " and a prompt of ", prompt,
                                   " tokens exceed the context of ", context_text));
  }
  const int blocks = KvBlocksFor(static_cast<int>(prompt) + request.max_tokens, info);
  if (blocks > info.kv_blocks) {
    return FieldError("max_tokens", absl::StrCat("of ", request.max_tokens, " and a prompt of ",
                                                 prompt, " tokens need ", blocks,
                                                 " KV cache blocks; there are ", info.kv_blocks));
  }
  return absl::OkStatus();
}

absl::Status CheckStopStrings(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStopStrings) {
    return FieldError("stop", absl::StrCat("must have at most ", kMaxStopStrings, " strings, got ",
                                           stops.size()));
  }
  for (size_t i = 0; i < stops.size(); ++i) {
    const std::string field = absl::StrCat("stop[", i, "]");
    if (stops[i].empty()) return FieldError(field, "must not be empty");
    if (stops[i].size() > kMaxStopStringBytes) {
      return FieldError(field, absl::StrCat("must have at most ", kMaxStopStringBytes,
                                            " bytes, got ", stops[i].size()));
    }
    if (!IsValidUtf8(stops[i])) return FieldError(field, "is not valid UTF-8");
  }
  return absl::OkStatus();
}

absl::Status CheckMinTokens(const GenerationRequest& request) {
  const SamplingParams& sampling = request.sampling;
  if (sampling.min_tokens > request.max_tokens) {
    return FieldError("min_tokens", absl::StrCat("must be at most max_tokens, got ",
                                                 sampling.min_tokens, " and ", request.max_tokens));
  }
  if (!sampling.suppressed_until_min.empty()) {
    return FieldError("suppressed_until_min", "is filled in by the engine");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRequest(const GenerationRequest& request, const RunnerInfo& info) {
  M3_RETURN_IF_ERROR(CheckLengths(request, info));
  M3_RETURN_IF_ERROR(CheckIds("prompt", request.prompt, info.vocab));
  M3_RETURN_IF_ERROR(Validate(request.sampling, info.vocab));
  M3_RETURN_IF_ERROR(CheckMinTokens(request));
  M3_RETURN_IF_ERROR(CheckStopStrings(request.stop));
  if (request.stop_token_ids.size() > kMaxStopTokenIds) {
    return FieldError("stop_token_ids", absl::StrCat("must have at most ", kMaxStopTokenIds,
                                                     " ids, got ", request.stop_token_ids.size()));
  }
  return CheckIds("stop_token_ids", request.stop_token_ids, info.vocab);
}

std::vector<int32_t> StopIds(const GenerationRequest& request,
                             const std::vector<int32_t>& eos_tokens) {
  std::vector<int32_t> ids = request.stop_token_ids;
  if (!request.ignore_eos) ids.insert(ids.end(), eos_tokens.begin(), eos_tokens.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace memory3
