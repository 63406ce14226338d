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

v1::MemoryTier ToProto(MemoryTier tier) {
  switch (tier) {
    case MemoryTier::kDevice:
      return v1::MEMORY_TIER_DEVICE;
    case MemoryTier::kHost:
      return v1::MEMORY_TIER_HOST;
    case MemoryTier::kDisk:
      return v1::MEMORY_TIER_DISK;
    case MemoryTier::kEncoded:
      return v1::MEMORY_TIER_ENCODED;
  }
  return v1::MEMORY_TIER_UNSPECIFIED;
}

void SetChunk(ChunkReport report, v1::MemoryChunk* out) {
  out->set_index(report.chunk);
  out->set_first_token(report.first_token);
  out->set_bank_epoch(report.epoch);
  for (const ChunkReport::Memory& memory : report.memories) {
    v1::UsedMemory* used = out->add_memories();
    used->set_memory_id(memory.id);
    used->set_score(memory.score);
    used->set_tier(ToProto(memory.tier));
    used->set_load_seconds(absl::ToDoubleSeconds(memory.load_time));
  }
  out->set_retrieval_seconds(absl::ToDoubleSeconds(report.retrieval_time));
  out->set_wait_seconds(absl::ToDoubleSeconds(report.wait_time));
  out->set_late(report.late);
  out->set_degraded(report.degraded);
  out->set_reason(std::move(report.reason));
}

void SetUsage(const GenerationEvent::Usage& usage, v1::Usage* out) {
  out->set_prompt_tokens(usage.prompt_tokens);
  out->set_completion_tokens(usage.completion_tokens);
  out->set_total_tokens(usage.prompt_tokens + usage.completion_tokens);
  out->set_queued_seconds(absl::ToDoubleSeconds(usage.queued));
  out->set_time_to_first_token_seconds(absl::ToDoubleSeconds(usage.time_to_first_token));
  // A request with memory has at least one chunk, unless it ended before its first step.
  if (usage.memory_chunks == 0) return;
  v1::MemoryUsage* memory = out->mutable_memory();
  memory->set_chunks(usage.memory_chunks);
  memory->set_late_chunks(usage.late_chunks);
  memory->set_degraded_chunks(usage.degraded_chunks);
  memory->set_memories(usage.memories);
  memory->set_wait_seconds(absl::ToDoubleSeconds(usage.memory_wait));
}

// The two replies spell these fields alike.
template <typename Reply>
void AppendCommon(GenerationEvent event, const ReplyHeader& header, Reply* reply) {
  for (TokenInfo& token : event.tokens) {
    reply->add_token_ids(token.id);
    if (header.logprobs) SetLogprobs(std::move(token), reply->add_logprobs());
  }
  for (ChunkReport& chunk : event.chunks) SetChunk(std::move(chunk), reply->add_memory_chunks());
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
