#include "server/request_translation.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "engine/base/field_error.h"
#include "engine/base/status_macros.h"
#include "engine/base/string_views.h"
#include "server/prompt_encoding.h"

namespace memory3 {
namespace {

absl::StatusOr<std::string> RoleName(v1::Role role, std::string_view path) {
  switch (role) {
    case v1::ROLE_SYSTEM:
      return "system";
    case v1::ROLE_USER:
      return "user";
    case v1::ROLE_ASSISTANT:
      return "assistant";
    case v1::ROLE_UNSPECIFIED:
      return FieldError(path, "must be set");
    default:
      return FieldError(path, absl::StrCat("is not a role: ", static_cast<int>(role)));
  }
}

absl::Status CheckTokenIds(std::string_view field, absl::Span<const int32_t> ids, int vocab) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab) continue;
    return FieldError(absl::StrCat(AbslView(field), "[", i, "]"),
                      absl::StrCat("must be a token id in [0, ", vocab, "), got ", ids[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckOnePromptKind(const v1::ChatRequest& request) {
  const int kinds = (request.messages().empty() ? 0 : 1) + (request.has_prompt() ? 1 : 0) +
                    (request.prompt_token_ids().empty() ? 0 : 1);
  if (kinds == 1) return absl::OkStatus();
  if (kinds == 0) {
    return FieldError("messages", "is empty, and neither prompt nor prompt_token_ids is given");
  }
  const std::string_view extra = request.has_prompt() ? "prompt" : "prompt_token_ids";
  return FieldError(extra, "exactly one of messages, prompt and prompt_token_ids may be given");
}

// The field the prompt came in, for errors about its length.
std::string_view PromptField(const v1::ChatRequest& request) {
  if (request.has_prompt()) return "prompt";
  return request.messages().empty() ? "prompt_token_ids" : "messages";
}

absl::StatusOr<std::vector<int32_t>> PromptIds(const v1::ChatRequest& request,
                                               const RequestContext& context) {
  M3_RETURN_IF_ERROR(CheckOnePromptKind(request));
  if (!request.messages().empty()) {
    M3_ASSIGN_OR_RETURN(RenderedPrompt rendered, RenderMessages(request.messages(), context));
    return std::move(rendered.ids);
  }
  if (request.has_prompt()) {
    return EncodeRawPrompt(request.prompt(), *context.tokenizer, context.bos_token);
  }
  M3_RETURN_IF_ERROR(CheckTokenIds("prompt_token_ids", request.prompt_token_ids(), context.vocab));
  return std::vector<int32_t>(request.prompt_token_ids().begin(), request.prompt_token_ids().end());
}

bool WantsMemory(const v1::ChatRequest& request, const RequestContext& context) {
  if (request.has_use_memory()) return request.use_memory();
  if (!context.memory.has_value()) return false;
  if (request.memory_policy() != v1::MEMORY_POLICY_UNSPECIFIED) {
    return request.memory_policy() != v1::MEMORY_POLICY_OFF;
  }
  return context.memory->used_by_default;
}

absl::string_view WhyNoMemory(const v1::ChatRequest& request, const RequestContext& context) {
  if (request.has_use_memory()) return "use_memory is false";
  if (!context.memory.has_value()) return "this server has no bank of memories";
  if (request.memory_policy() == v1::MEMORY_POLICY_OFF) return "memory_policy is OFF";
  return "use_memory is not, and this server's own policy is off";
}

// Honours every field about memory or refuses it: none is taken and then ignored.
absl::Status SetMemory(const v1::ChatRequest& request, const RequestContext& context,
                       MemoryRequest* out) {
  if (request.use_memory() && !context.memory.has_value()) {
    return FieldError("use_memory", "this server has no bank of memories");
  }
  out->enabled = WantsMemory(request, context);
  if (!out->enabled) {
    const absl::string_view why = WhyNoMemory(request, context);
    if (request.memory_policy() != v1::MEMORY_POLICY_UNSPECIFIED &&
        request.memory_policy() != v1::MEMORY_POLICY_OFF) {
      return FieldError("memory_policy", absl::StrCat("is given, but ", why));
    }
    if (request.memory_required()) {
      return FieldError("memory_required", absl::StrCat("is true, but ", why));
    }
    if (request.memory_details()) {
      return FieldError("memory_details", absl::StrCat("is true, but ", why));
    }
    return absl::OkStatus();
  }
  switch (request.memory_policy()) {
    case v1::MEMORY_POLICY_UNSPECIFIED:
      out->policy = context.memory->default_policy;
      break;
    case v1::MEMORY_POLICY_STRICT:
      out->policy = MemoryPolicy::kStrict;
      break;
    case v1::MEMORY_POLICY_DEADLINE:
      out->policy = MemoryPolicy::kDeadline;
      break;
    case v1::MEMORY_POLICY_OFF:
      return FieldError("memory_policy", "is OFF, but use_memory is true");
    default:
      return FieldError("memory_policy",
                        absl::StrCat("is no policy: ", static_cast<int>(request.memory_policy())));
  }
  out->required = request.memory_required();
  out->details = request.memory_details();
  return absl::OkStatus();
}

absl::Status SetLengths(const v1::ChatRequest& request, const RequestContext& context,
                        GenerationRequest* out) {
  const int64_t prompt_tokens = static_cast<int64_t>(out->prompt.size());
  RequestLimits limits = context.limits;
  if (out->memory.enabled) {
    limits.max_context_tokens -= context.memory->position_offset;
    limits.max_completion_tokens =
        std::min(limits.max_completion_tokens, limits.max_context_tokens - 1);
  }
  const std::string_view field = PromptField(request);
  if (prompt_tokens == 0) return FieldError(field, "has no tokens");
  if (prompt_tokens >= limits.max_context_tokens) {
    return FieldError(
        field, absl::StrCat("has ", prompt_tokens, " tokens; the context of ",
                            limits.max_context_tokens, " must also hold one token of the answer"));
  }
  const int room = limits.max_context_tokens - static_cast<int>(prompt_tokens);
  const int most = std::min(room, limits.max_completion_tokens);
  out->max_tokens = request.has_max_tokens() ? request.max_tokens() : most;
  if (out->max_tokens < 1 || out->max_tokens > most) {
    return FieldError("max_tokens", absl::StrCat("must be in [1, ", most, "] after a prompt of ",
                                                 prompt_tokens, " tokens, got ", out->max_tokens));
  }
  out->sampling.min_tokens = request.min_tokens();
  if (out->sampling.min_tokens < 0 || out->sampling.min_tokens > out->max_tokens) {
    return FieldError("min_tokens", absl::StrCat("must be in [0, max_tokens = ", out->max_tokens,
                                                 "], got ", out->sampling.min_tokens));
  }
  return absl::OkStatus();
}

absl::Status SetLogprobs(const v1::ChatRequest& request, GenerationRequest* out) {
  if (request.has_top_logprobs()) {
    if (!request.logprobs()) return FieldError("top_logprobs", "needs logprobs = true");
    if (request.top_logprobs() < 0 || request.top_logprobs() > kMaxTopLogprobs) {
      return FieldError("top_logprobs", absl::StrCat("must be in [0, ", kMaxTopLogprobs, "], got ",
                                                     request.top_logprobs()));
    }
  }
  out->sampling.top_logprobs = request.logprobs() ? request.top_logprobs() : -1;
  return absl::OkStatus();
}

absl::Status SetStops(const v1::ChatRequest& request, const RequestContext& context,
                      GenerationRequest* out) {
  if (request.stop_size() > kMaxStopStrings) {
    return FieldError("stop", absl::StrCat("must have at most ", kMaxStopStrings, " strings, got ",
                                           request.stop_size()));
  }
  for (int i = 0; i < request.stop_size(); ++i) {
    const size_t bytes = request.stop(i).size();
    if (bytes == 0 || bytes > kMaxStopStringBytes) {
      return FieldError(
          absl::StrCat("stop[", i, "]"),
          absl::StrCat("must have 1 to ", kMaxStopStringBytes, " bytes, got ", bytes));
    }
    out->stop.push_back(request.stop(i));
  }
  if (request.stop_token_ids_size() > kMaxStopTokenIds) {
    return FieldError("stop_token_ids", absl::StrCat("must have at most ", kMaxStopTokenIds,
                                                     " ids, got ", request.stop_token_ids_size()));
  }
  M3_RETURN_IF_ERROR(CheckTokenIds("stop_token_ids", request.stop_token_ids(), context.vocab));
  out->stop_token_ids.assign(request.stop_token_ids().begin(), request.stop_token_ids().end());
  out->ignore_eos = request.ignore_eos();
  return absl::OkStatus();
}

void SetSampling(const v1::ChatRequest& request, uint64_t drawn_seed, SamplingParams* out) {
  if (request.has_temperature()) out->temperature = request.temperature();
  if (request.has_top_k()) out->top_k = request.top_k();
  if (request.has_top_p()) out->top_p = request.top_p();
  if (request.has_min_p()) out->min_p = request.min_p();
  if (request.has_repetition_penalty()) out->repetition_penalty = request.repetition_penalty();
  if (request.has_presence_penalty()) out->presence_penalty = request.presence_penalty();
  if (request.has_frequency_penalty()) out->frequency_penalty = request.frequency_penalty();
  out->seed = request.has_seed() ? request.seed() : drawn_seed;
  for (const auto& [token, bias] : request.logit_bias()) out->logit_bias.emplace_back(token, bias);
  // A map has no order of its own; the sampler's work must not depend on its hash.
  absl::c_sort(out->logit_bias);
}

}  // namespace

absl::Status CheckModelName(std::string_view model, const RequestContext& context) {
  if (model.empty() || absl::c_linear_search(context.model_names, model)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model: this server serves ",
                                          absl::StrJoin(context.model_names, ", "),
                                          ", not the one asked for"));
}

absl::StatusOr<RenderedPrompt> RenderMessages(
    const google::protobuf::RepeatedPtrField<v1::Message>& messages,
    const RequestContext& context) {
  if (messages.size() > kMaxMessages) {
    return FieldError("messages", absl::StrCat("must have at most ", kMaxMessages, " entries, got ",
                                               messages.size()));
  }
  std::vector<ChatMessage> conversation;
  conversation.reserve(messages.size());
  for (int i = 0; i < messages.size(); ++i) {
    M3_ASSIGN_OR_RETURN(std::string role,
                        RoleName(messages[i].role(), absl::StrCat("messages[", i, "].role")));
    if (messages[i].content().empty()) {
      return FieldError(absl::StrCat("messages[", i, "].content"), "is empty");
    }
    conversation.push_back({std::move(role), messages[i].content()});
  }
  if (context.chat_template == nullptr) {
    return FieldError("messages", "the served model has no chat template; send prompt instead");
  }
  absl::StatusOr<std::vector<TemplateSegment>> segments =
      context.chat_template->RenderSegments(conversation, /*add_generation_prompt=*/true);
  if (!segments.ok()) return FieldError("messages", StdView(segments.status().message()));
  return RenderedPrompt{JoinSegments(*segments),
                        EncodeSegments(*segments, *context.tokenizer, *context.special_tokens)};
}

absl::StatusOr<GenerationRequest> TranslateRequest(const v1::ChatRequest& request,
                                                   const RequestContext& context,
                                                   uint64_t drawn_seed) {
  M3_RETURN_IF_ERROR(CheckModelName(request.model(), context));
  if (request.has_n() && request.n() != 1) {
    return FieldError("n", absl::StrCat("only one choice is supported, got ", request.n()));
  }
  if (request.user().size() > kMaxUserBytes) {
    return FieldError("user", absl::StrCat("must have at most ", kMaxUserBytes, " bytes, got ",
                                           request.user().size()));
  }
  GenerationRequest out;
  out.sampling = context.defaults;
  SetSampling(request, drawn_seed, &out.sampling);
  M3_RETURN_IF_ERROR(SetLogprobs(request, &out));
  M3_RETURN_IF_ERROR(SetStops(request, context, &out));
  M3_RETURN_IF_ERROR(SetMemory(request, context, &out.memory));
  M3_ASSIGN_OR_RETURN(out.prompt, PromptIds(request, context));
  M3_RETURN_IF_ERROR(SetLengths(request, context, &out));
  return out;
}

}  // namespace memory3
