#include "server/reply_building.h"

#include <utility>

#include "absl/time/time.h"

namespace memory3 {
namespace {

v1::FinishReason ToProto(FinishReason reason) {
  return reason == FinishReason::kStop ? v1::FINISH_REASON_STOP : v1::FINISH_REASON_LENGTH;
}

void SetLogprobs(TokenInfo token, v1::PositionLogprobs* out) {
  out->mutable_chosen()->set_token_id(token.id);
  out->mutable_chosen()->set_logprob(token.logprob);
  out->mutable_chosen()->set_token(std::move(token.bytes));
  for (TokenInfo::Alternative& alternative : token.top) {
    v1::TokenLogprob* top = out->add_top();
    top->set_token_id(alternative.id);
    top->set_logprob(alternative.logprob);
    top->set_token(std::move(alternative.bytes));
  }
}

void SetUsage(const GenerationEvent::Usage& usage, v1::Usage* out) {
  out->set_prompt_tokens(usage.prompt_tokens);
  out->set_completion_tokens(usage.completion_tokens);
  out->set_total_tokens(usage.prompt_tokens + usage.completion_tokens);
  out->set_queued_seconds(absl::ToDoubleSeconds(usage.queued));
  out->set_time_to_first_token_seconds(absl::ToDoubleSeconds(usage.time_to_first_token));
}

// The two replies spell these fields alike.
template <typename Reply>
void AppendCommon(GenerationEvent event, const ReplyHeader& header, Reply* reply) {
  for (TokenInfo& token : event.tokens) {
    reply->add_token_ids(token.id);
    if (header.logprobs) SetLogprobs(std::move(token), reply->add_logprobs());
  }
  if (event.finish.has_value()) reply->set_finish_reason(ToProto(*event.finish));
  if (event.stop_match.has_value()) reply->set_stop_match(*std::move(event.stop_match));
  if (event.usage.has_value()) SetUsage(*event.usage, reply->mutable_usage());
}

}  // namespace

void SetHeader(const ReplyHeader& header, bool first, v1::ChatChunk* chunk) {
  chunk->set_id(header.id);
  chunk->set_created(header.created_seconds);
  chunk->set_model(header.model);
  if (first) chunk->set_seed(header.seed);
}

void SetHeader(const ReplyHeader& header, v1::ChatCompletion* completion) {
  completion->set_id(header.id);
  completion->set_created(header.created_seconds);
  completion->set_model(header.model);
  completion->set_seed(header.seed);
  completion->mutable_message()->set_role(v1::ROLE_ASSISTANT);
}

void AppendEvent(GenerationEvent event, const ReplyHeader& header, v1::ChatChunk* chunk) {
  chunk->mutable_delta()->append(event.text);
  AppendCommon(std::move(event), header, chunk);
}

void AppendEvent(GenerationEvent event, const ReplyHeader& header, v1::ChatCompletion* completion) {
  completion->mutable_message()->mutable_content()->append(event.text);
  AppendCommon(std::move(event), header, completion);
}

}  // namespace memory3
