#include <string>

#include "engine/base/status_macros.h"
#include "server/request_translation.h"
#include "server/services.h"
#include "server/unary_call.h"

namespace memory3 {
namespace {

v1::ExplicitMemory DescribeMemory(const ServedModel& model) {
  const RunnerMemoryInfo& info = model.engine->runner_info().memory;
  v1::ExplicitMemory out;
  out.set_chunk_tokens(info.chunk_tokens);
  out.set_memories_per_chunk(info.memories_per_chunk);
  out.set_reference_tokens(info.reference_tokens);
  out.set_max_context_tokens(model.context.limits.max_context_tokens - info.position_offset);
  const MemoryContext& memory = *model.context.memory;
  out.set_default_policy(!memory.used_by_default ? v1::MEMORY_POLICY_OFF
                         : memory.default_policy == MemoryPolicy::kStrict
                             ? v1::MEMORY_POLICY_STRICT
                             : v1::MEMORY_POLICY_DEADLINE);
  out.set_lead_tokens(model.memory->options().lead_tokens);
  return out;
}

v1::Model Describe(const ServedModel& model, const std::string& name) {
  const RequestContext& context = model.context;
  v1::Model out;
  out.set_name(name);
  out.set_architecture(model.config.architecture);
  out.set_parameters(model.parameters);
  out.set_dtype(model.dtype);
  out.set_device(model.engine->runner_info().device);
  out.set_vocab_size(context.vocab);
  out.set_has_chat_template(context.chat_template != nullptr);
  out.mutable_eos_token_ids()->Add(model.config.eos_tokens.begin(), model.config.eos_tokens.end());

  v1::Limits* limits = out.mutable_limits();
  limits->set_max_context_tokens(context.limits.max_context_tokens);
  limits->set_max_completion_tokens(context.limits.max_completion_tokens);
  limits->set_max_concurrent_sequences(context.limits.max_concurrent_sequences);
  limits->set_max_queued_requests(context.limits.max_queued_requests);
  limits->set_max_queued_prompt_tokens(context.limits.max_queued_prompt_tokens);
  limits->set_max_request_bytes(context.limits.max_request_bytes);
  limits->set_max_stop_strings(kMaxStopStrings);
  limits->set_max_stop_string_bytes(kMaxStopStringBytes);
  limits->set_max_logit_bias(kMaxLogitBias);
  limits->set_max_top_logprobs(kMaxTopLogprobs);

  v1::SamplingDefaults* defaults = out.mutable_defaults();
  defaults->set_temperature(context.defaults.temperature);
  defaults->set_top_k(context.defaults.top_k);
  defaults->set_top_p(context.defaults.top_p);
  defaults->set_min_p(context.defaults.min_p);
  defaults->set_repetition_penalty(context.defaults.repetition_penalty);
  defaults->set_presence_penalty(context.defaults.presence_penalty);
  defaults->set_frequency_penalty(context.defaults.frequency_penalty);
  if (context.memory.has_value()) *out.mutable_memory() = DescribeMemory(model);
  return out;
}

absl::StatusOr<v1::Model> GetModelReply(const v1::GetModelRequest& request,
                                        const ServedModel& model) {
  M3_RETURN_IF_ERROR(CheckModelName(request.name(), model.context));
  return Describe(model,
                  request.name().empty() ? model.context.model_names.front() : request.name());
}

absl::StatusOr<v1::ListModelsResponse> ListModelsReply(const v1::ListModelsRequest& request,
                                                       const ServedModel& model) {
  v1::ListModelsResponse reply;
  for (const std::string& name : model.context.model_names) {
    *reply.add_models() = Describe(model, name);
  }
  return reply;
}

}  // namespace

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response) {
  return AnswerUnary<v1::GetModelRequest>(front_, context, *request, response, GetModelReply);
}

grpc::ServerUnaryReactor* ModelServiceImpl::ListModels(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return AnswerUnary<v1::ListModelsRequest>(front_, context, *request, response, ListModelsReply);
}

}  // namespace memory3
