#include "engine/memory/reader_factory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/aligned_buffer.h"
#include "engine/base/status_macros.h"
#include "engine/memory/pread_reader.h"
#include "engine/memory/uring_reader.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {
namespace {

absl::Status CheckRange(const char* field, int value, int largest) {
  if (value >= 1 && value <= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("memory reader: ", field, " is ", value, ", not in [1, ", largest, "]"));
}

// A block of zeros in memory, for trying a reader without a file at hand.
absl::StatusOr<std::shared_ptr<const RecordFile>> AnonymousFile() {
  const int fd = memfd_create("memory3-probe", MFD_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "memfd_create");
  absl::StatusOr<std::shared_ptr<const RecordFile>> file =
      ftruncate(fd, kRecordAlignment) == 0
          ? RecordFile::Open(absl::StrCat("/proc/self/fd/", fd), /*direct=*/false)
          : absl::ErrnoToStatus(errno, "ftruncate");
  close(fd);
  return file;
}

absl::Status ReadFirstBlock(MemoryReader& reader, std::shared_ptr<const RecordFile> file) {
  AlignedBuffer block(kRecordAlignment, kRecordAlignment);
  std::promise<absl::Status> result;
  M3_RETURN_IF_ERROR(reader.Read(
      {.file = std::move(file),
       .offset = 0,
       .bytes = {block.data(), block.size()},
       .done = [&result](absl::Status status) { result.set_value(std::move(status)); }}));
  return result.get_future().get();
}

// A ring can be set up and still not read: older kernels lack the operation, filters may forbid
// io_uring_enter alone.
absl::Status TryRing(const std::shared_ptr<const RecordFile>& probe) {
  MemoryReaderOptions options;
  options.direct = DirectReads::kOff;
  options.depth = 1;
  M3_ASSIGN_OR_RETURN(const std::unique_ptr<UringReader> reader, UringReader::Create(options));
  if (probe != nullptr) return ReadFirstBlock(*reader, probe);
  M3_ASSIGN_OR_RETURN(std::shared_ptr<const RecordFile> file, AnonymousFile());
  return ReadFirstBlock(*reader, std::move(file));
}

struct Made {
  std::unique_ptr<MemoryReader> reader;
  absl::Status fixed_buffers;
};

absl::StatusOr<Made> Make(const MemoryReaderOptions& options, bool ring) {
  if (!ring) return Made{std::make_unique<PreadReader>(options), absl::OkStatus()};
  M3_ASSIGN_OR_RETURN(std::unique_ptr<UringReader> reader, UringReader::Create(options));
  absl::Status fixed_buffers = reader->fixed_buffers();
  return Made{std::move(reader), std::move(fixed_buffers)};
}

absl::Status Demanded(const char* what, const absl::Status& why) {
  return absl::FailedPreconditionError(
      absl::StrCat("memory reader: ", what, " is demanded and does not work: ", why.message()));
}

std::string NotUsed(const char* what, const absl::Status& why) {
  return absl::StrCat("no ", what, ": ", why.message());
}

}  // namespace

absl::Status Validate(const MemoryReaderOptions& options) {
  M3_RETURN_IF_ERROR(CheckRange("depth", options.depth, kMaxReaderDepth));
  M3_RETURN_IF_ERROR(CheckRange("threads", options.threads, kMaxReaderThreads));
  return CheckRange("queue", options.queue, kMaxReaderQueue);
}

absl::StatusOr<MemoryReaderChoice> CreateMemoryReader(
    MemoryReaderOptions options, const std::shared_ptr<const RecordFile>& file) {
  M3_RETURN_IF_ERROR(Validate(options));
  const bool readable = file != nullptr && file->size() >= kRecordAlignment;
  const std::shared_ptr<const RecordFile> probe = readable ? file : nullptr;
  std::vector<std::string> words;

  bool ring = options.kind != ReaderKind::kPread;
  if (ring) {
    const absl::Status status = TryRing(probe);
    if (!status.ok() && options.kind == ReaderKind::kIoUring) return Demanded("io_uring", status);
    if (!status.ok()) words.push_back(NotUsed("io_uring", status));
    ring = status.ok();
  }
  M3_ASSIGN_OR_RETURN(Made made, Make(options, ring));
  if (probe != nullptr && options.direct != DirectReads::kOff) {
    const absl::Status status = ReadFirstBlock(*made.reader, probe);
    if (!status.ok() && options.direct == DirectReads::kOn) return Demanded("O_DIRECT", status);
    M3_RETURN_IF_ERROR(status);
    if (probe->direct_fd() < 0) {
      words.push_back(absl::StrCat("no O_DIRECT: ", probe->path().native(), " cannot"));
      options.direct = DirectReads::kOff;
      made.reader.reset();
      M3_ASSIGN_OR_RETURN(made, Make(options, ring));
    }
  }
  if (!made.fixed_buffers.ok()) words.push_back(NotUsed("fixed buffers", made.fixed_buffers));
  words.insert(words.begin(),
               absl::StrCat("memory reads: ", std::string(made.reader->name()), ", up to ",
                            ring ? options.depth : options.threads, " at once"));
  return MemoryReaderChoice{std::move(made.reader), absl::StrJoin(words, "; ")};
}

}  // namespace memory3
