// Bytes of records from files, asynchronously: pread pool, io_uring, in-memory and faulty (tests).
#ifndef MEMORY3_ENGINE_MEMORY_MEMORY_READER_H_
#define MEMORY3_ENGINE_MEMORY_MEMORY_READER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/memory/bank/record_file.h"

namespace memory3 {

struct ReadJob {
  std::shared_ptr<const RecordFile> file;
  int64_t offset = 0;         // a multiple of kRecordAlignment
  absl::Span<uint8_t> bytes;  // aligned, a multiple of kRecordAlignment; not touched after `done`
  // Called exactly once, on a thread of the reader's, when every byte has arrived (OK) or cannot:
  // DataLoss when the file ends early, the system's error otherwise. Must not block. Never called
  // under a lock of the reader's.
  absl::AnyInvocable<void(absl::Status)> done;
};

// What happened since the reader was made.
struct MemoryReaderCounters {
  uint64_t reads = 0;             // jobs that ended, well or not
  uint64_t failures = 0;          // those that ended with an error
  uint64_t short_reads = 0;       // answers with fewer bytes than asked; the rest was asked for
  uint64_t retries = 0;           // interrupted or put off by the system (EINTR, EAGAIN)
  uint64_t direct_fallbacks = 0;  // files that refused a direct read and are read buffered since
};

// Thread-safe. Destruction waits for the jobs in progress; queued ones end with Cancelled.
class MemoryReader {
 public:
  virtual ~MemoryReader() = default;
  // Never waits for the device. After an error `done` is not called: ResourceExhausted when the
  // queue is full, InvalidArgument for a misaligned job, FailedPrecondition when direct reads are
  // demanded of a file without them.
  [[nodiscard]] virtual absl::Status Read(ReadJob job) = 0;
  virtual std::string_view name() const = 0;  // "pread, direct", "io_uring, direct, fixed buffers"
  virtual MemoryReaderCounters counters() const { return {}; }
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_MEMORY_READER_H_
