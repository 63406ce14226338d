#include "engine/engine_loop.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace memory3 {

namespace {

// References encoded after a step that had rows: the running streams stand still for them.
constexpr int kReferencesPerStep = 1;

}  // namespace

EngineLoop::EngineLoop(const EngineOptions& options, Runner& runner, const Tokenizer& tokenizer,
                       EngineObserver& observer, Clock& clock, WakeSignal& wake, Inbox& inbox,
                       EngineCounters& counters)
    : runner_(runner),
      tokenizer_(tokenizer),
      observer_(observer),
      clock_(clock),
      inbox_(inbox),
      counters_(counters),
      scheduler_(runner.info(), options.max_batch_tokens),
      encodes_(runner) {
  if (options.memory.has_value()) {
    director_.emplace(*options.memory, runner, tokenizer, encodes_, observer, clock, wake);
  }
  for (RunningStep& step : steps_) {
    step.plan.batch.sequences.reserve(runner.info().max_sequences);
    step.plan.members.reserve(runner.info().max_sequences);
  }
}

bool EngineLoop::Step() {
  counters_.heartbeat_nanoseconds.store(absl::ToInt64Nanoseconds(clock_.Steady()),
                                        std::memory_order_relaxed);
  TakeArrived();
  DropCancelledAndLate();
  AdmitQueued();
  if (director_.has_value()) ApplyMemories();
  PublishCounters();
  RunningStep& step = steps_[begun_ % steps_.size()];
  scheduler_.BuildStep(&step.plan);
  const bool has_rows = step.plan.rows > 0;
  const bool has_started = started_ > 0;
  const bool encodes = !encodes_.empty();
  if (has_rows) MarkBegin(step);
  if (has_rows && runner_.info().runs_ahead) {
    StartAhead(step);
  } else if (has_rows) {
    Run(step);
  }
  if (has_started) FinishStarted();
  if (encodes) EncodeBatch(/*beside_streams=*/has_rows);
  return has_rows || has_started || encodes;
}

absl::Duration EngineLoop::NextDeadline() const {
  const absl::Duration next = scheduler_.NextDeadline();
  return director_.has_value() ? std::min(next, director_->NextOverdue()) : next;
}

void EngineLoop::TakeArrived() {
  arrived_.clear();
  inbox_.Take(&arrived_);
  for (std::unique_ptr<Sequence>& sequence : arrived_) scheduler_.Enqueue(std::move(sequence));
  arrived_encodes_.clear();
  inbox_.TakeEncodes(&arrived_encodes_);
  for (EncodeJob& job : arrived_encodes_) encodes_.Push(std::move(job));
}

void EngineLoop::DropCancelledAndLate() {
  const absl::Duration now = clock_.Steady();
  // A status for each: statuses share their text, and streams belong to different threads.
  scheduler_.ForEach([now](Sequence& sequence) {
    if (sequence.cancel->set.load(std::memory_order_relaxed)) {
      sequence.End(absl::CancelledError("the request was cancelled"));
    } else if (now >= sequence.deadline) {
      sequence.End(absl::DeadlineExceededError(
          absl::StrCat("the deadline passed after ", sequence.generated(), " tokens")));
    }
  });
  RemoveFinished();
}

void EngineLoop::AdmitQueued() {
  scheduler_.Admit([this](Sequence& sequence) {
    inbox_.LeaveQueue(sequence.prompt_tokens());
    runner_.BeginSequence(sequence.slot, sequence.request.sampling, sequence.request.prompt);
    if (sequence.memory != nullptr) director_->Begin(sequence);
  });
}

void EngineLoop::ApplyMemories() {
  director_->TakeArrived();
  const absl::Duration now = clock_.Steady();
  scheduler_.ForEachRunning([this, now](Sequence& sequence) {
    if (sequence.memory != nullptr && sequence.WantsRows()) director_->Advance(sequence, now);
  });
  RemoveFinished();
}

void EngineLoop::EncodeBatch(bool beside_streams) {
  encodes_.RunBatch(beside_streams ? kReferencesPerStep
                                   : runner_.info().memory.max_references_per_encode);
}

void EngineLoop::MarkBegin(RunningStep& step) {
  step.began = clock_.Steady();
  for (Sequence* sequence : step.plan.members) {
    if (!sequence->first_step.has_value()) sequence->first_step = step.began;
  }
}

void EngineLoop::Run(const RunningStep& step) {
  const absl::Status status = runner_.Run(step.plan.batch, &output_);
  if (status.ok()) MarkRows(step);
  Conclude(step, status);
}

void EngineLoop::StartAhead(const RunningStep& step) {
  const absl::Status status = runner_.StartStep(step.plan.batch);
  if (!status.ok()) return Conclude(step, status);
  MarkRows(step);
  ++begun_;
  ++started_;
}

void EngineLoop::FinishStarted() {
  const RunningStep& step = steps_[(begun_ - started_) % steps_.size()];
  --started_;
  Conclude(step, runner_.FinishStep(&output_));
}

void EngineLoop::MarkRows(const RunningStep& step) {
  for (size_t i = 0; i < step.plan.members.size(); ++i) {
    const BatchSequence& rows = step.plan.batch.sequences[i];
    step.plan.members[i]->RowsStarted(static_cast<int>(rows.tokens.size()), rows.sample);
  }
}

void EngineLoop::Conclude(const RunningStep& step, absl::Status status) {
  if (status.ok()) status = CheckOutput(step.plan);
  const absl::Duration now = clock_.Steady();
  counters_.steps.fetch_add(1, std::memory_order_relaxed);
  // A step that was started ahead has waited for the one before.
  observer_.OnStep(step.plan.rows, step.plan.decode_rows,
                   static_cast<int>(step.plan.members.size()),
                   now - std::max(step.began, concluded_));
  concluded_ = now;
  if (status.ok()) {
    counters_.failed_steps.store(0, std::memory_order_relaxed);
    DeliverTokens(step.plan, now);
  } else {
    counters_.failed_steps.fetch_add(1, std::memory_order_relaxed);
    const std::string message = absl::StrCat("the model failed: ", status.message());
    for (Sequence* sequence : step.plan.members) {
      if (sequence != nullptr) sequence->End(absl::InternalError(message));
    }
  }
  RemoveFinished();
}

absl::Status EngineLoop::CheckOutput(const StepPlan& plan) const {
  size_t next = 0;
  for (const BatchSequence& rows : plan.batch.sequences) {
    if (!rows.sample) continue;
    if (next == output_.sampled.size()) return absl::InternalError("a token is missing");
    const SampledToken& sampled = output_.sampled[next++];
    const size_t tops = static_cast<size_t>(sampled.top_begin) + sampled.top_count;
    if (sampled.slot != rows.slot || sampled.token < 0 || sampled.token >= runner_.info().vocab ||
        tops > output_.top_logprobs.size()) {
      return absl::InternalError(absl::StrCat("token ", sampled.token, " for slot ", sampled.slot,
                                              " does not answer slot ", rows.slot));
    }
  }
  if (next != output_.sampled.size()) return absl::InternalError("there are tokens too many");
  return absl::OkStatus();
}

void EngineLoop::DeliverTokens(const StepPlan& plan, absl::Duration now) {
  size_t next = 0;
  for (size_t i = 0; i < plan.members.size(); ++i) {
    if (!plan.batch.sequences[i].sample) continue;
    const SampledToken& sampled = output_.sampled[next++];
    if (plan.members[i] != nullptr) DeliverToken(*plan.members[i], sampled, now);
  }
}

void EngineLoop::DeliverToken(Sequence& sequence, const SampledToken& sampled, absl::Duration now) {
  if (sequence.first_token.has_value()) {
    observer_.OnNextToken(now - sequence.last_token);
  } else {
    observer_.OnFirstToken(now - sequence.submitted, *sequence.first_step - sequence.submitted);
  }
  GenerationEvent piece;
  sequence.TokenSampled(MakeTokenInfo(sampled), now, &piece);
  if (piece.finish.has_value()) return sequence.End(std::move(piece));
  if (sequence.memory != nullptr) director_->TokenSampled(sequence, sampled.token);
  if (piece.text.empty() && piece.tokens.empty()) return;
  if (sequence.stream->Push(std::move(piece))) return;
  sequence.End(absl::ResourceExhaustedError(
      "the reader of the stream is too slow: its buffer of events is full"));
}

TokenInfo EngineLoop::MakeTokenInfo(const SampledToken& sampled) const {
  TokenInfo info{.id = sampled.token,
                 .bytes = tokenizer_.TokenBytes(sampled.token),
                 .logprob = sampled.logprob};
  info.top.reserve(sampled.top_count);
  for (int i = 0; i < sampled.top_count; ++i) {
    const TokenLogprob& top = output_.top_logprobs[sampled.top_begin + i];
    info.top.push_back({top.token, top.logprob, tokenizer_.TokenBytes(top.token)});
  }
  return info;
}

void EngineLoop::RemoveFinished() {
  finished_.clear();
  scheduler_.RemoveFinished(
      [this](Sequence& sequence) {
        if (sequence.memory != nullptr) director_->Forget(sequence);
        runner_.EndSequence(sequence.slot);
        for (RunningStep& step : steps_) {
          std::vector<Sequence*>& members = step.plan.members;
          std::replace(members.begin(), members.end(), &sequence, static_cast<Sequence*>(nullptr));
        }
      },
      &finished_);
  if (finished_.empty()) return;
  PublishCounters();
  for (const std::unique_ptr<Sequence>& sequence : finished_) CloseStream(*sequence);
  finished_.clear();
}

void EngineLoop::CloseStream(Sequence& sequence) {
  if (!sequence.was_admitted()) inbox_.LeaveQueue(sequence.prompt_tokens());
  GenerationEvent last = sequence.TakeLastEvent(clock_.Steady());
  observer_.OnFinished(last.status, sequence.prompt_tokens(), sequence.generated());
  sequence.stream->Close(std::move(last));
  inbox_.Forget(sequence.id);
}

void EngineLoop::PublishCounters() {
  counters_.running.store(scheduler_.running(), std::memory_order_relaxed);
  counters_.kv_blocks_used.store(scheduler_.kv_blocks_used(), std::memory_order_relaxed);
  if (!director_.has_value()) return;
  counters_.waiting_for_memory.store(scheduler_.waiting_for_memory(), std::memory_order_relaxed);
  counters_.memory_slots_used.store(director_->slots_used(), std::memory_order_relaxed);
}

void EngineLoop::EndAll(const absl::Status& status) {
  TakeArrived();
  scheduler_.ForEach([&status](Sequence& sequence) {
    sequence.End(absl::Status(status.code(), status.message()));
  });
  RemoveFinished();
  // Nobody waits for what is still on its way.
  for (; started_ > 0; --started_) runner_.FinishStep(&output_).IgnoreError();
  encodes_.EndAll(status);
}

}  // namespace memory3
