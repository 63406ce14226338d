#include "engine/memory/pread_reader.h"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "engine/base/status_macros.h"

namespace memory3 {

PreadReader::PreadReader(const MemoryReaderOptions& options)
    : direct_(options.direct), gate_(options.gate), queue_(options.queue) {
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { Serve(); });
}

PreadReader::~PreadReader() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
}

std::string_view PreadReader::name() const {
  return direct_ == DirectReads::kOff ? "pread, buffered" : "pread, direct";
}

absl::Status PreadReader::Read(ReadJob job) {
  M3_RETURN_IF_ERROR(CheckJob(job, direct_));
  return queue_.Push(std::move(job));
}

void PreadReader::Serve() {
  ReadJob job;
  while (queue_.WaitAndPop(&job)) {
    ReadProgress progress(std::move(job), direct_, &tally_);
    progress.Finish(queue_.closed() ? absl::CancelledError("the reader shuts down")
                                    : ReadNow(progress));
  }
}

absl::Status PreadReader::ReadNow(ReadProgress& progress) const {
  std::optional<absl::Status> end;
  while (!end) {
    const ReadProgress::Piece& piece = progress.Next();
    const int64_t length = gate_ ? gate_(piece.fd, piece.offset, piece.length) : piece.length;
    int64_t result = length;
    if (length > 0) {
      result = pread(piece.fd, piece.data, length, piece.offset);
      if (result < 0) result = -errno;
    }
    end = progress.Advance(result);
  }
  return *std::move(end);
}

}  // namespace memory3
