// One read job on its way through the system: which bytes to ask for next and what an answer means.
// The only place that turns the result of an I/O call into "arrived" or an error, the same for
// every reader.
//
//   ReadProgress progress(std::move(job), direct, &tally);
//   std::optional<absl::Status> end;
//   while (!end) end = progress.Advance(Ask(progress.Next()));
//   progress.Finish(*end);
#ifndef MEMORY3_ENGINE_MEMORY_READ_PROGRESS_H_
#define MEMORY3_ENGINE_MEMORY_READ_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "engine/memory/memory_reader.h"
#include "engine/memory/reader_options.h"

namespace memory3 {

// Of one job, before the system counts as unable. Each is asked again at once.
inline constexpr int kMaxReadRetries = 64;
inline constexpr int64_t kMaxReadBytes = int64_t{1} << 30;

// MemoryReaderCounters, counted by several threads.
class ReaderTally {
 public:
  MemoryReaderCounters Snapshot() const;

 private:
  friend class ReadProgress;
  std::atomic<uint64_t> reads_{0}, failures_{0}, short_reads_{0}, retries_{0}, fallbacks_{0};
};

// What MemoryReader::Read promises to refuse, the queue apart.
absl::Status CheckJob(const ReadJob& job, DirectReads direct);

// Move-only; used by one thread at a time.
class ReadProgress {
 public:
  struct Piece {
    int fd = -1;
    uint8_t* data = nullptr;
    int64_t offset = 0;  // in the file
    int64_t length = 0;
  };

  ReadProgress() = default;
  // `job` has passed CheckJob. `tally` outlives this.
  ReadProgress(ReadJob job, DirectReads direct, ReaderTally* tally);

  // What to ask the system for now: always everything that is missing.
  const Piece& Next();
  // `result` of that: bytes, or a negative errno. Nothing: ask for Next(). A status: the job's end.
  std::optional<absl::Status> Advance(int64_t result);
  // Lets go of file and buffer, then tells the job's owner.
  void Finish(absl::Status status);

 private:
  absl::Status Describe(absl::Status status) const;

  ReadJob job_;
  DirectReads direct_ = DirectReads::kAuto;
  ReaderTally* tally_ = nullptr;
  Piece piece_;
  int64_t arrived_ = 0;
  int retries_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_READ_PROGRESS_H_
