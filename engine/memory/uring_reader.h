// One thread that keeps up to `depth` reads at the device with io_uring. Callers hand their jobs to
// it through a queue, because submitting may block in the file system or the block layer.
//
// Files are not registered: looking one up costs some ten nanoseconds beside a read of hundreds of
// microseconds, and files come and go with banks.
#ifndef MEMORY3_ENGINE_MEMORY_URING_READER_H_
#define MEMORY3_ENGINE_MEMORY_URING_READER_H_

#include <liburing.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/memory/memory_reader.h"
#include "engine/memory/read_progress.h"
#include "engine/memory/read_queue.h"
#include "engine/memory/reader_options.h"

namespace memory3 {

class UringReader final : public MemoryReader {
 public:
  // `options` have passed Validate. The system's error when it allows no ring: PermissionDenied
  // under the default profiles of container runtimes, Unimplemented on old kernels.
  static absl::StatusOr<std::unique_ptr<UringReader>> Create(const MemoryReaderOptions& options);
  ~UringReader() override;

  absl::Status Read(ReadJob job) override;
  std::string_view name() const override { return name_; }
  MemoryReaderCounters counters() const override { return tally_.Snapshot(); }

  // Whether the buffers' fixed block is registered; if not, why (OK when there is none).
  const absl::Status& fixed_buffers() const { return fixed_status_; }

 private:
  // One read at the device. The tag tells completions of one use from those of the next.
  struct Slot {
    ReadProgress progress;
    ReadProgress::Piece piece;
    uint64_t tag = 0;
    int64_t gated = 0;  // the gate's answer, when it lets no read through
    bool use_gated = false;
  };
  struct Finished {
    ReadProgress progress;
    absl::Status status;
  };

  explicit UringReader(const MemoryReaderOptions& options);
  absl::Status Start(int depth);
  void RegisterBuffers();

  // On the ring's thread:
  void Serve();
  void StartQueued();
  void StartPiece(int slot);
  void ArmWake();
  void SubmitAndWait();
  void Reap();
  void OnCompletion(uint64_t tag, int result);
  void FinishAll();

  void Wake();

  const DirectReads direct_;
  const SystemReadGate gate_;
  const std::shared_ptr<RecordBuffers> buffers_;
  absl::Status fixed_status_;
  bool fixed_ = false;
  std::string name_;
  ReaderTally tally_;
  ReadQueue queue_;
  io_uring ring_ = {};
  bool ring_open_ = false;
  int wake_fd_ = -1;
  std::atomic<bool> asleep_{false};  // a job queued now must wake the ring's thread

  // Of the ring's thread.
  std::vector<Slot> slots_;
  std::vector<int> free_slots_;
  std::vector<Finished> finished_;
  uint64_t last_tag_ = 0;
  uint64_t wake_value_ = 0;  // the kernel writes here
  bool wake_armed_ = false;

  std::thread thread_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_URING_READER_H_
