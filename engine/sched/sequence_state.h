// The states of a sequence and the moves between them.
#ifndef MEMORY3_ENGINE_SCHED_SEQUENCE_STATE_H_
#define MEMORY3_ENGINE_SCHED_SEQUENCE_STATE_H_

#include <cstdint>
#include <string_view>

namespace memory3 {

enum class SequenceState : uint8_t {
  kQueued,            // waits for KV blocks and slots; holds none
  kPrefill,           // admitted; its prompt goes into the KV cache piece by piece
  kDecode,            // one row and one token per step
  kWaitingForMemory,  // its next row's memories are not there: takes no part in steps
  kFinished,          // its outcome is known; freed before the step ends
};

std::string_view NameOf(SequenceState state);
bool IsLegalMove(SequenceState from, SequenceState to);

// A sequence is in exactly one state; a move that is not legal is a programmer error.
class SequenceLifecycle {
 public:
  SequenceState state() const { return state_; }
  bool Is(SequenceState state) const { return state_ == state; }
  void MoveTo(SequenceState next);

 private:
  SequenceState state_ = SequenceState::kQueued;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SCHED_SEQUENCE_STATE_H_
