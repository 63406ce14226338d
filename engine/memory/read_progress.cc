#include "engine/memory/read_progress.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {
namespace {

bool IsAligned(int64_t value) { return value % kRecordAlignment == 0; }
bool IsAligned(const uint8_t* data) {
  return IsAligned(static_cast<int64_t>(reinterpret_cast<uintptr_t>(data)));
}

}  // namespace

MemoryReaderCounters ReaderTally::Snapshot() const {
  return {.reads = reads_,
          .failures = failures_,
          .short_reads = short_reads_,
          .retries = retries_,
          .direct_fallbacks = fallbacks_};
}

absl::Status CheckJob(const ReadJob& job, DirectReads direct) {
  M3_CHECK(job.file != nullptr && job.done);
  const int64_t length = static_cast<int64_t>(job.bytes.size());
  if (job.offset < 0 || !IsAligned(job.offset) || !IsAligned(job.bytes.data()) ||
      !IsAligned(length) || length == 0 || length > kMaxReadBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        job.file->path().native(), ": a read of ", length, " bytes at offset ", job.offset,
        " does not consist of 1 or more whole blocks of ", kRecordAlignment, " bytes"));
  }
  if (direct == DirectReads::kOn && job.file->direct_fd() < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        job.file->path().native(), ": direct reads are demanded, and it has none (O_DIRECT)"));
  }
  return absl::OkStatus();
}

ReadProgress::ReadProgress(ReadJob job, DirectReads direct, ReaderTally* tally)
    : job_(std::move(job)), direct_(direct), tally_(tally) {}

const ReadProgress::Piece& ReadProgress::Next() {
  piece_ = {.fd = job_.file->fd(),
            .data = job_.bytes.data() + arrived_,
            .offset = job_.offset + arrived_,
            .length = static_cast<int64_t>(job_.bytes.size()) - arrived_};
  // After a short read the rest may begin anywhere, where O_DIRECT cannot go.
  if (direct_ != DirectReads::kOff && job_.file->direct_fd() >= 0 && IsAligned(arrived_)) {
    piece_.fd = job_.file->direct_fd();
  }
  return piece_;
}

std::optional<absl::Status> ReadProgress::Advance(int64_t result) {
  if (result > 0 && result <= piece_.length) {
    arrived_ += result;
    if (result == piece_.length) return absl::OkStatus();
    ++tally_->short_reads_;
    return std::nullopt;
  }
  if (result == 0) return Describe(absl::DataLossError("the file ends early"));
  if (result > piece_.length) return Describe(absl::InternalError("more bytes than asked for"));
  const int error = static_cast<int>(-result);
  if ((error == EINTR || error == EAGAIN) && retries_ < kMaxReadRetries) {
    ++retries_;
    ++tally_->retries_;
    return std::nullopt;
  }
  const bool was_direct = piece_.fd != job_.file->fd();
  if (error == EINVAL && was_direct && direct_ == DirectReads::kAuto) {
    if (job_.file->RefuseDirect()) ++tally_->fallbacks_;
    return std::nullopt;
  }
  return Describe(absl::ErrnoToStatus(error, was_direct ? "O_DIRECT" : "read"));
}

absl::Status ReadProgress::Describe(absl::Status status) const {
  return absl::Status(status.code(), absl::StrCat(job_.file->path().native(), ": offset ",
                                                  job_.offset, ": ", status.message(), " (got ",
                                                  arrived_, " of ", job_.bytes.size(), " bytes)"));
}

void ReadProgress::Finish(absl::Status status) {
  ++tally_->reads_;
  if (!status.ok()) ++tally_->failures_;
  ReadJob job = std::exchange(job_, {});
  job.file.reset();
  job.done(std::move(status));
}

}  // namespace memory3
