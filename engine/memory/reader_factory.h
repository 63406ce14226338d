// Chooses how memories are read on this machine, by trying it.
#ifndef MEMORY3_ENGINE_MEMORY_READER_FACTORY_H_
#define MEMORY3_ENGINE_MEMORY_READER_FACTORY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/memory/bank/record_file.h"
#include "engine/memory/memory_reader.h"
#include "engine/memory/reader_options.h"

namespace memory3 {

struct MemoryReaderChoice {
  std::unique_ptr<MemoryReader> reader;
  // One line for the log: what is used, and why something better is not.
  std::string summary;
};

// For start-up: waits for the reads it tries. `probe` is a file of those that will be read, opened
// with direct reads; null, or shorter than a block, leaves O_DIRECT to be found out file by file.
// What was asked for by name and does not work is an error (FailedPrecondition); what kAuto would
// have liked is given up with a word in the summary.
absl::StatusOr<MemoryReaderChoice> CreateMemoryReader(
    MemoryReaderOptions options, const std::shared_ptr<const RecordFile>& probe);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_READER_FACTORY_H_
