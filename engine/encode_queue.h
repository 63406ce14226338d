// References that wait to be encoded, and the engine thread's work on them, one batch at a time so
// that decoding goes on in between.
#ifndef MEMORY3_ENGINE_ENCODE_QUEUE_H_
#define MEMORY3_ENGINE_ENCODE_QUEUE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/runner/memory_tensor.h"
#include "engine/runner/runner.h"

namespace memory3 {

// One call of Engine::EncodeReferences; `done` runs exactly once.
struct EncodeJob {
  std::vector<std::vector<int32_t>> references;  // at least one, valid
  Engine::EncodeDone done;
};

// InvalidArgument naming the first reference that the runner cannot encode; FailedPrecondition when
// it can encode none.
absl::Status CheckReferences(absl::Span<const std::vector<int32_t>> references,
                             const RunnerInfo& info);

// Not thread-safe (the engine thread's).
class EncodeQueue {
 public:
  // The runner must outlive the queue.
  explicit EncodeQueue(Runner& runner) : runner_(runner) {}

  void Push(EncodeJob job) { jobs_.push_back({std::move(job), {}}); }
  bool empty() const { return jobs_.empty(); }

  // Encodes at most `max_references` (and the runner's max_references_per_encode) of the oldest
  // jobs in one batch and ends the jobs that are complete. A batch that fails fails its jobs.
  void RunBatch(int max_references);
  // Ends every job.
  void EndAll(const absl::Status& status);

 private:
  struct Progress {
    EncodeJob job;
    std::vector<std::shared_ptr<const MemoryTensor>> memories;  // of the first references
  };

  void FailFront(int jobs, const absl::Status& status);

  Runner& runner_;
  std::deque<Progress> jobs_;
  std::vector<absl::Span<const int32_t>> batch_;  // scratch
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_ENCODE_QUEUE_H_
