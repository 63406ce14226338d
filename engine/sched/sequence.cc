#include "engine/sched/sequence.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace memory3 {

Sequence::Sequence(RequestId sequence_id, GenerationRequest generation_request,
                   std::vector<int32_t> sorted_stop_ids,
                   std::shared_ptr<GenerationStream> event_stream, const Tokenizer& tokenizer,
                   absl::Duration submit_time, absl::Duration latest_end,
                   std::unique_ptr<MemorySession> memory_session)
    : id(sequence_id),
      request(std::move(generation_request)),
      stop_ids(std::move(sorted_stop_ids)),
      stream(std::move(event_stream)),
      submitted(submit_time),
      deadline(latest_end),
      memory(std::move(memory_session)),
      answer_(tokenizer, request.stop, request.sampling.min_tokens) {}

bool Sequence::IsStopId(int32_t token) const {
  return std::binary_search(stop_ids.begin(), stop_ids.end(), token);
}

void Sequence::BeginPrefill() {
  lifecycle_.MoveTo(SequenceState::kPrefill);
  was_admitted_ = true;
}

void Sequence::GoOn() {
  lifecycle_.MoveTo(cached_tokens_ < prompt_tokens() ? SequenceState::kPrefill
                                                     : SequenceState::kDecode);
}

BatchSequence Sequence::NextRows(int max_rows) {
  BatchSequence rows{.slot = slot, .first_position = cached_tokens_, .block_table = blocks};
  if (memory != nullptr) max_rows = std::min(max_rows, memory->RunnableRows(cached_tokens_));
  M3_CHECK(max_rows > 0);
  if (state() == SequenceState::kDecode) {
    rows.tokens = absl::MakeConstSpan(&next_input_, 1);
    rows.sample = true;
  } else {
    M3_CHECK(state() == SequenceState::kPrefill);
    rows.tokens = absl::MakeConstSpan(request.prompt).subspan(cached_tokens_, max_rows);
    rows.sample = cached_tokens_ + static_cast<int>(rows.tokens.size()) == prompt_tokens();
  }
  if (memory != nullptr) {
    rows.use_memory = true;
    rows.memories = memory->MemoriesOf(cached_tokens_, static_cast<int>(rows.tokens.size()));
  }
  return rows;
}

void Sequence::RowsStarted(int rows, bool sample) {
  cached_tokens_ += rows;
  if (sample) {
    ++tokens_to_come_;
    next_input_ = kSampledToken;
  }
  if (state() == SequenceState::kPrefill && cached_tokens_ == prompt_tokens()) {
    lifecycle_.MoveTo(SequenceState::kDecode);
  }
}

void Sequence::TokenSampled(TokenInfo token, absl::Duration now, GenerationEvent* piece) {
  // With steps ahead, the row behind this token may already wait for its memories.
  M3_CHECK(tokens_to_come_ > 0 &&
           (state() == SequenceState::kDecode || state() == SequenceState::kWaitingForMemory));
  ++generated_;
  if (--tokens_to_come_ == 0) next_input_ = token.id;
  if (!first_token.has_value()) first_token = now;
  last_token = now;
  if (IsStopId(token.id)) {
    answer_.FinishWithStopToken(std::move(token), piece);
  } else {
    answer_.Add(std::move(token), piece);
    if (!piece->finish.has_value() && generated_ == request.max_tokens) {
      answer_.Finish(FinishReason::kLength, piece);
    }
  }
  // Reports travel with text or tokens; a piece without either is not sent.
  if (memory != nullptr && !(piece->text.empty() && piece->tokens.empty())) {
    memory->MoveReports(&piece->chunks);
  }
}

void Sequence::End(GenerationEvent last) {
  M3_CHECK(last.last());
  lifecycle_.MoveTo(SequenceState::kFinished);
  last_event_ = std::move(last);
}

void Sequence::End(absl::Status status) {
  GenerationEvent last;
  last.status = std::move(status);
  End(std::move(last));
}

GenerationEvent Sequence::TakeLastEvent(absl::Duration now) {
  M3_CHECK(finished());
  GenerationEvent::Usage usage;
  usage.prompt_tokens = prompt_tokens();
  usage.completion_tokens = generated_;
  usage.queued = first_step.value_or(now) - submitted;
  if (first_token.has_value()) usage.time_to_first_token = *first_token - submitted;
  if (memory != nullptr) {
    memory->AddUsage(now, &usage);
    memory->MoveReports(&last_event_.chunks);
  }
  last_event_.usage = usage;
  return std::move(last_event_);
}

}  // namespace memory3
