// A Runner without a model that notices a scheduler's mistakes. It keeps a paged "KV cache" of
// tokens and chooses the next token by hashing the whole context as read back through the block
// table it was given: a wrong table, a block shared by two sequences, a wrong position or a skipped
// token changes the answer, and whatever can be named is also recorded as a violation. With
// explicit memory, so does every byte of every memory that a row saw when it ran.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_FAKE_RUNNER_H_
#define MEMORY3_TESTS_UNIT_ENGINE_FAKE_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/runner/runner.h"
#include "tests/unit/engine/fake_memory.h"

namespace memory3 {

class FakeRunner final : public Runner {
 public:
  // Shape and limits as in `info`, of which device and bytes are ignored.
  explicit FakeRunner(RunnerInfo info);

  // Called at the start of every Run and StartStep, on the engine thread. An error is the answer of
  // Run or FinishStep. Set before the engine starts.
  std::function<absl::Status(const Batch&)> before_run;
  // Answers given word for word to these prompts; after their end the hash goes on. Set before the
  // engine starts.
  std::map<std::vector<int32_t>, std::vector<int32_t>> scripts;

  const RunnerInfo& info() const override { return info_; }
  void BeginSequence(SequenceSlot slot, const SamplingParams& params,
                     absl::Span<const int32_t> prompt) override;
  void EndSequence(SequenceSlot slot) override;
  absl::Status Run(const Batch& batch, StepOutput* output) override;
  // Where info.runs_ahead. A step runs when it is started, and tells when it is finished.
  absl::Status StartStep(const Batch& batch) override;
  absl::Status FinishStep(StepOutput* output) override;
  absl::Status FillSlot(MemorySlot slot, std::shared_ptr<const MemoryTensor> memory) override;
  absl::Status EncodeReferences(
      absl::Span<const absl::Span<const int32_t>> references,
      std::vector<std::shared_ptr<const MemoryTensor>>* memories) override;
  // Called at the start of every EncodeReferences, with the number of references.
  std::function<absl::Status(int)> before_encode;

  std::vector<std::string> violations() const;
  int open_slots() const;
  // The memories that each row of the latest sequence with this prompt saw.
  std::vector<std::vector<MemoryId>> memories_seen(const std::vector<int32_t>& prompt) const;
  int slots_filled() const;
  // Rows of all steps, and the most steps that were started and not finished at one time.
  int rows_run() const { return rows_run_.load(); }
  int most_started() const { return most_started_.load(); }

 private:
  struct Cell {
    uint64_t sequence = 0;  // serial number of the sequence that wrote it
    int32_t position = -1;
    int32_t token = -1;
    uint64_t memories = 0;  // FakeMemory::RowView::hash when the row ran
  };
  struct Slot {
    uint64_t sequence = 0;  // 0: closed
    SamplingParams params;
    std::vector<int32_t> prompt;
    std::vector<int32_t> answer;
    int context = 0;  // tokens in the KV cache
    std::vector<KvBlockId> blocks;
    std::optional<bool> use_memory;
  };

  struct StartedStep {
    absl::Status status;
    StepOutput output;
  };

  absl::Status Violation(std::string what);
  absl::Status RunNow(const Batch& batch, StepOutput* output);
  absl::Status CheckRows(const BatchSequence& rows);
  absl::Status CheckMemories(const BatchSequence& rows);
  absl::Status ClaimBlocks(const BatchSequence& rows, Slot& slot);
  Cell& CellAt(const BatchSequence& rows, int position);
  absl::Status HashContext(const BatchSequence& rows, const Slot& slot, uint64_t* hash);
  int32_t Choose(const Slot& slot, uint64_t hash) const;
  void Sample(Slot& slot, SequenceSlot id, uint64_t hash, StepOutput* output) const;

  const RunnerInfo info_;
  uint64_t next_sequence_ = 1;
  std::vector<Slot> slots_;
  std::vector<Cell> cells_;
  FakeMemory memory_;
  std::deque<StartedStep> started_;
  std::atomic<int> rows_run_ = 0;
  std::atomic<int> most_started_ = 0;
  std::vector<uint64_t> block_owner_;  // the open sequence that was given the block, or 0

  mutable Mutex mutex_;
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mutex_);
  int open_slots_ ABSL_GUARDED_BY(mutex_) = 0;
  int slots_filled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::vector<int32_t>, std::vector<std::vector<MemoryId>>> memories_seen_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_FAKE_RUNNER_H_
