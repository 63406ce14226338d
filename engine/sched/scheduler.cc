#include "engine/sched/scheduler.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace memory3 {
namespace {

// Moves finished sequences out of a container; the others keep their order.
template <typename Container>
void MoveFinished(Container* sequences, std::vector<std::unique_ptr<Sequence>>* finished) {
  auto kept = sequences->begin();
  for (std::unique_ptr<Sequence>& sequence : *sequences) {
    if (sequence->finished()) {
      finished->push_back(std::move(sequence));
    } else {
      std::swap(*kept++, sequence);
    }
  }
  sequences->erase(kept, sequences->end());
}

}  // namespace

int KvBlocksFor(int tokens, const RunnerInfo& info) {
  return (tokens + info.kv_block_tokens - 1) / info.kv_block_tokens;
}

Scheduler::Scheduler(const RunnerInfo& info, int max_batch_tokens)
    : info_(info),
      max_batch_tokens_(max_batch_tokens),
      max_running_(std::min(info.max_sequences, max_batch_tokens)),
      slots_(info.max_sequences),
      blocks_(info.kv_blocks) {
  M3_CHECK(max_batch_tokens > 0 && max_batch_tokens <= info.max_batch_rows);
  running_.reserve(max_running_);
}

void Scheduler::Enqueue(std::unique_ptr<Sequence> sequence) {
  M3_CHECK(KvBlocksFor(sequence->worst_case_tokens(), info_) <= blocks_.size());
  M3_CHECK(sequence->memory_slots() <= info_.memory.slots);
  queue_.push_back(std::move(sequence));
}

bool Scheduler::TryAdmit(Sequence& sequence) {
  if (running() == max_running_) return false;
  const int blocks = KvBlocksFor(sequence.worst_case_tokens(), info_);
  if (blocks > blocks_.available()) return false;
  if (memory_slots_reserved_ + sequence.memory_slots() > info_.memory.slots) return false;
  memory_slots_reserved_ += sequence.memory_slots();
  sequence.blocks.reserve(blocks);
  taken_slot_.clear();
  M3_CHECK(blocks_.Take(blocks, &sequence.blocks) && slots_.Take(1, &taken_slot_));
  sequence.slot = taken_slot_.front();
  return true;
}

void Scheduler::Admit(absl::FunctionRef<void(Sequence&)> admitted) {
  while (!queue_.empty() && TryAdmit(*queue_.front())) {
    Sequence& sequence = *running_.emplace_back(std::move(queue_.front()));
    queue_.pop_front();
    sequence.BeginPrefill();
    admitted(sequence);
  }
}

void Scheduler::Plan(Sequence& sequence, int max_rows, StepPlan* plan) {
  const BatchSequence rows = sequence.NextRows(max_rows);
  plan->rows += static_cast<int>(rows.tokens.size());
  plan->batch.sequences.push_back(rows);
  plan->members.push_back(&sequence);
}

void Scheduler::BuildStep(StepPlan* plan) {
  plan->batch.sequences.clear();
  plan->members.clear();
  plan->rows = 0;
  for (const std::unique_ptr<Sequence>& sequence : running_) {
    if (sequence->state() == SequenceState::kDecode && sequence->WantsRows()) {
      Plan(*sequence, 1, plan);
    }
  }
  plan->decode_rows = plan->rows;
  for (const std::unique_ptr<Sequence>& sequence : running_) {
    if (plan->rows == max_batch_tokens_) break;
    if (sequence->state() == SequenceState::kPrefill) {
      Plan(*sequence, max_batch_tokens_ - plan->rows, plan);
    }
  }
}

void Scheduler::ForEachRunning(absl::FunctionRef<void(Sequence&)> visit) {
  for (const std::unique_ptr<Sequence>& sequence : running_) visit(*sequence);
}

int Scheduler::waiting_for_memory() const {
  return static_cast<int>(std::count_if(running_.begin(), running_.end(), [](const auto& sequence) {
    return sequence->state() == SequenceState::kWaitingForMemory;
  }));
}

void Scheduler::ForEach(absl::FunctionRef<void(Sequence&)> visit) {
  ForEachRunning(visit);
  for (const std::unique_ptr<Sequence>& sequence : queue_) visit(*sequence);
}

void Scheduler::RemoveFinished(absl::FunctionRef<void(Sequence&)> removed,
                               std::vector<std::unique_ptr<Sequence>>* finished) {
  const size_t first = finished->size();
  MoveFinished(&running_, finished);
  MoveFinished(&queue_, finished);
  for (size_t i = first; i < finished->size(); ++i) {
    Sequence& sequence = *(*finished)[i];
    if (sequence.slot < 0) continue;
    removed(sequence);
    slots_.GiveBack({&sequence.slot, 1});
    blocks_.GiveBack(sequence.blocks);
    memory_slots_reserved_ -= sequence.memory_slots();
    sequence.slot = -1;
    sequence.blocks.clear();
  }
}

absl::Duration Scheduler::NextDeadline() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const std::unique_ptr<Sequence>& sequence : running_) {
    next = std::min(next, sequence->deadline);
    if (sequence->memory != nullptr) next = std::min(next, sequence->memory->attention_at);
  }
  for (const std::unique_ptr<Sequence>& sequence : queue_)
    next = std::min(next, sequence->deadline);
  return next;
}

}  // namespace memory3
