// Where the threads of callers meet the engine thread: new requests, cancels, and how many there
// are. Every call is short and none waits for a step (AwaitEmpty excepted, whose purpose it is).
//
// Limits: requests that wait (counted until they are admitted or dropped), the tokens of their
// prompts, and encodes (counted until they are done). Cancels need no queue: each live request has
// a flag, looked at once per step.
#ifndef MEMORY3_ENGINE_INBOX_H_
#define MEMORY3_ENGINE_INBOX_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/bounded_queue.h"
#include "engine/base/mutex.h"
#include "engine/encode_queue.h"
#include "engine/generation.h"
#include "engine/sched/sequence.h"

namespace memory3 {

class Inbox {
 public:
  Inbox(int max_requests, int64_t max_prompt_tokens, int max_encodes);

  // Any thread.

  RequestId NextId() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  // Unavailable after StopAdmitting, ResourceExhausted past a limit. First in, first out.
  absl::Status Submit(std::unique_ptr<Sequence> sequence);
  absl::Status SubmitEncode(EncodeJob job);
  // False when there is nothing to cancel.
  bool Cancel(RequestId id);
  void StopAdmitting();
  // True once every request and encode has finished; false when `timeout` passed before.
  bool AwaitEmpty(absl::Duration timeout);
  int queued() const { return queued_.load(std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }

  // The engine thread.

  // Appends the requests that came since the last call, oldest first.
  void Take(std::vector<std::unique_ptr<Sequence>>* sequences) { arrived_.PopAll(sequences); }
  void TakeEncodes(std::vector<EncodeJob>* jobs) { arrived_encodes_.PopAll(jobs); }
  // A sequence was admitted or dropped: its place in the queue is free.
  void LeaveQueue(int prompt_tokens);
  // A sequence's stream is closed: the request is no longer live.
  void Forget(RequestId id);
  // An encode was answered.
  void EncodeEnded();

 private:
  const int max_requests_;
  const int64_t max_prompt_tokens_;
  std::atomic<RequestId> next_id_ = 1;
  std::atomic<int> queued_ = 0;  // written under mutex_
  std::atomic<bool> draining_ = false;
  BoundedQueue<std::unique_ptr<Sequence>> arrived_;
  BoundedQueue<EncodeJob> arrived_encodes_;

  Mutex mutex_;
  CondVar emptied_;
  int64_t queued_prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t live_encodes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<RequestId, std::shared_ptr<Sequence::CancelFlag>> live_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_INBOX_H_
