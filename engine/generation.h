// What a caller asks of the engine and what it gets back. Plain data, no gRPC.
#ifndef MEMORY3_ENGINE_GENERATION_H_
#define MEMORY3_ENGINE_GENERATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"
#include "engine/memory/memory_id.h"
#include "engine/memory/memory_tier.h"
#include "engine/runner/sampling_params.h"

namespace memory3 {

using RequestId = uint64_t;

inline constexpr int kMaxStopStrings = 16;
inline constexpr int kMaxStopStringBytes = 256;
inline constexpr int kMaxStopTokenIds = 64;

// What a sequence does at a chunk boundary when its memories are not there (paper, 7.5).
enum class MemoryPolicy : uint8_t {
  kStrict,    // waits, outside the batch: the text depends on request, model and bank alone
  kDeadline,  // waits for a set time at most, then goes on with the memories it had
};

struct MemoryRequest {
  bool enabled = false;  // off: a plain decoder, whatever the engine could do
  MemoryPolicy policy = MemoryPolicy::kDeadline;
  bool required = false;  // a chunk without its memories is an error, not a degraded answer
  bool details = false;   // report every chunk's memories in GenerationEvent::chunks
};

struct GenerationRequest {
  std::vector<int32_t> prompt;    // token ids, BOS included when the model wants one; at least one
  SamplingParams sampling;        // suppressed_until_min is filled in by the engine
  int max_tokens = 0;             // > 0; prompt + max_tokens must fit the context
  std::vector<std::string> stop;  // the answer ends before the first; looked for after min_tokens
  std::vector<int32_t> stop_token_ids;  // besides the model's end-of-text ids
  bool ignore_eos = false;
  absl::Time deadline = absl::InfiniteFuture();
  MemoryRequest memory;
};

enum class FinishReason { kStop, kLength };

struct TokenInfo {
  int32_t id = 0;
  std::string bytes;  // what the token adds to the text, possibly half a character
  float logprob = 0;  // when asked for
  struct Alternative {
    int32_t id;
    float logprob;
    std::string bytes;
  };
  std::vector<Alternative> top;
};

// Which memories one chunk saw, once that is settled: at the chunk's first row.
struct ChunkReport {
  struct Memory {
    MemoryId id = 0;
    float score = 0;
    MemoryTier tier = MemoryTier::kDisk;  // where it was when asked for
    absl::Duration load_time;             // from the request to a filled slot
  };
  int chunk = 0;        // 0-based, prompt chunks first; the first generated chunk shares the last's
  int first_token = 0;  // in the context (prompt and answer), from which on these memories are seen
  uint64_t epoch = 0;   // of the bank
  std::vector<Memory> memories;
  absl::Duration retrieval_time;
  absl::Duration wait_time;  // that the sequence stood still at the boundary
  bool late = false;  // not there at the boundary: the chunk goes on with the memories before it
  bool degraded = false;  // fewer memories than were named, or none could be retrieved
  std::string reason;     // of late or degraded, for people
};

// A piece of an answer. The last one has `finish` or, when the request did not come to its end, a
// `status` that is not OK: Cancelled, DeadlineExceeded, ResourceExhausted (reader too slow),
// Unavailable (shutdown), Internal.
struct GenerationEvent {
  std::string text;                 // whole UTF-8 characters only; may be empty
  std::vector<TokenInfo> tokens;    // tokens that became final with this piece
  std::vector<ChunkReport> chunks;  // settled since the last piece, when details were asked for
  std::optional<FinishReason> finish;
  std::optional<std::string> stop_match;  // the stop string that ended it
  absl::Status status;
  bool last() const { return finish.has_value() || !status.ok(); }
  struct Usage {
    int prompt_tokens = 0;
    int completion_tokens = 0;
    absl::Duration queued;               // from Submit to the first step
    absl::Duration time_to_first_token;  // from Submit
    // Of a request with memory: chunks that ran, those of them that were late or degraded, memories
    // attached over all chunks, and the time stood still at boundaries.
    int memory_chunks = 0, late_chunks = 0, degraded_chunks = 0, memories = 0;
    absl::Duration memory_wait;
  };
  std::optional<Usage> usage;  // with the last event
};

// The bounded buffer between the engine thread and one reader. The engine never waits: when the
// buffer is full the sequence is cut off with ResourceExhausted. Thread-safe; one reader.
//
// A reader that must not wait uses SetOnReady and takes events with TryNext until it gives none:
//
//   stream->SetOnReady([&] { queue.Post([&] { while (auto event = stream->TryNext()) ...; }); });
class GenerationStream {
 public:
  explicit GenerationStream(int max_events);

  // Engine side. False when the buffer is full: the event is dropped, and the engine then closes
  // the stream with Close.
  [[nodiscard]] bool Push(GenerationEvent event);
  // Engine side: the last event, for which there is always room. Once.
  void Close(GenerationEvent last);

  // Reader side: the oldest event, or nullopt when there is none yet (or none any more).
  std::optional<GenerationEvent> TryNext();
  // Waits for the next event; nullopt after the last one was taken.
  std::optional<GenerationEvent> Next();
  // How the stream ends, known from Close on although events may wait before the last one: a reader
  // that is stuck learns here that it was cut off. nullopt while the stream is open.
  std::optional<absl::Status> final_status() const;
  // `on_ready` runs on the engine thread whenever an event arrives in an empty buffer, on Close,
  // and at once, on this thread, when there are events already. It must be quick and may call
  // TryNext, but neither SetOnReady nor the stream's engine. Replaces the one set before; null
  // clears. Calls never overlap, and once this returns the callback set before neither runs nor
  // will run: so hold no lock here that the callback takes.
  void SetOnReady(absl::AnyInvocable<void()> on_ready);

 private:
  bool HasEvent() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return count_ > 0 || last_.has_value();
  }
  GenerationEvent Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(GenerationEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_events_;
  // Held while the callback runs; taken before mutex_. Readers never take it in TryNext and Next.
  Mutex callback_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  absl::AnyInvocable<void()> on_ready_ ABSL_GUARDED_BY(callback_mutex_);

  mutable Mutex mutex_;
  CondVar arrived_;
  // A ring that grows up to max_events_ as a reader falls behind.
  std::vector<GenerationEvent> ring_ ABSL_GUARDED_BY(mutex_);
  size_t head_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<GenerationEvent> last_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> final_status_ ABSL_GUARDED_BY(mutex_);  // set: closed
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_GENERATION_H_
