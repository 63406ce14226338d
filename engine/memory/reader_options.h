// How memories are read from files.
#ifndef MEMORY3_ENGINE_MEMORY_READER_OPTIONS_H_
#define MEMORY3_ENGINE_MEMORY_READER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "engine/memory/record_buffers.h"

namespace memory3 {

enum class ReaderKind : uint8_t {
  kAuto,  // io_uring where the system allows it, else pread
  kPread,
  kIoUring,
};

// Reads past the page cache (O_DIRECT): memories have their own cache, and copying each byte once
// more costs half a core at a gigabyte per second.
enum class DirectReads : uint8_t {
  kAuto,  // file by file, where it works
  kOn,    // a file that cannot is an error
  kOff,
};

// A seam for tests: what the system is going to make of one read. Returns how many of `length`
// bytes it will read (fewer: a short read, 0: the file's end), or a negative errno.
using SystemReadGate = std::function<int64_t(int fd, int64_t offset, int64_t length)>;

inline constexpr int kMaxReaderDepth = 4096;
inline constexpr int kMaxReaderThreads = 256;
inline constexpr int kMaxReaderQueue = 1 << 20;

struct MemoryReaderOptions {
  ReaderKind kind = ReaderKind::kAuto;
  DirectReads direct = DirectReads::kAuto;
  int depth = 16;    // io_uring: reads at the device at once, in [1, kMaxReaderDepth]
  int threads = 4;   // pread: the same, in [1, kMaxReaderThreads]
  int queue = 1024;  // jobs that wait for their turn, in [1, kMaxReaderQueue]
  // Their fixed block is registered with io_uring; may be null. Jobs may use other buffers too.
  std::shared_ptr<RecordBuffers> buffers;
  SystemReadGate gate;  // empty: every read goes to the system as asked
};

// InvalidArgument naming the field.
absl::Status Validate(const MemoryReaderOptions& options);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_READER_OPTIONS_H_
