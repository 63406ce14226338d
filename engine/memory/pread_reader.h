// A pool of threads, each waiting for one read at a time. Works everywhere.
#ifndef MEMORY3_ENGINE_MEMORY_PREAD_READER_H_
#define MEMORY3_ENGINE_MEMORY_PREAD_READER_H_

#include <string_view>
#include <thread>
#include <vector>

#include "engine/memory/memory_reader.h"
#include "engine/memory/read_progress.h"
#include "engine/memory/read_queue.h"
#include "engine/memory/reader_options.h"

namespace memory3 {

class PreadReader final : public MemoryReader {
 public:
  // `options` have passed Validate; depth and buffers mean nothing here.
  explicit PreadReader(const MemoryReaderOptions& options);
  ~PreadReader() override;

  absl::Status Read(ReadJob job) override;
  std::string_view name() const override;
  MemoryReaderCounters counters() const override { return tally_.Snapshot(); }

 private:
  void Serve();
  absl::Status ReadNow(ReadProgress& progress) const;

  const DirectReads direct_;
  const SystemReadGate gate_;
  ReaderTally tally_;
  ReadQueue queue_;
  std::vector<std::thread> threads_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_PREAD_READER_H_
