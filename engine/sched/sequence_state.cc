#include "engine/sched/sequence_state.h"

#include "engine/base/check.h"

namespace memory3 {
namespace {

struct Move {
  SequenceState from;
  SequenceState to;
};

constexpr Move kLegalMoves[] = {
    {SequenceState::kQueued, SequenceState::kPrefill},
    {SequenceState::kPrefill, SequenceState::kDecode},
    // At a chunk boundary, in the prompt or in the answer.
    {SequenceState::kPrefill, SequenceState::kWaitingForMemory},
    {SequenceState::kDecode, SequenceState::kWaitingForMemory},
    {SequenceState::kWaitingForMemory, SequenceState::kPrefill},
    {SequenceState::kWaitingForMemory, SequenceState::kDecode},
    // Cancel, deadline and shutdown end a sequence wherever it is.
    {SequenceState::kQueued, SequenceState::kFinished},
    {SequenceState::kPrefill, SequenceState::kFinished},
    {SequenceState::kDecode, SequenceState::kFinished},
    {SequenceState::kWaitingForMemory, SequenceState::kFinished},
};

}  // namespace

std::string_view NameOf(SequenceState state) {
  switch (state) {
    case SequenceState::kQueued:
      return "queued";
    case SequenceState::kPrefill:
      return "prefill";
    case SequenceState::kDecode:
      return "decode";
    case SequenceState::kWaitingForMemory:
      return "waiting-for-memory";
    case SequenceState::kFinished:
      return "finished";
  }
  return "unknown";
}

bool IsLegalMove(SequenceState from, SequenceState to) {
  for (const Move& move : kLegalMoves) {
    if (move.from == from && move.to == to) return true;
  }
  return false;
}

void SequenceLifecycle::MoveTo(SequenceState next) {
  M3_CHECK(IsLegalMove(state_, next));
  state_ = next;
}

}  // namespace memory3
