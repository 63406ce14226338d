#include "engine/memory/uring_reader.h"

#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// A tag is a running number and, in the low bits, the slot; the wake-up's number is zero.
constexpr int kSlotBits = 16;
constexpr uint64_t kWakeTag = 0;
constexpr int kFixedBlockIndex = 0;  // the only registered buffer
static_assert(kMaxReaderDepth <= 1 << kSlotBits);

int SlotOf(uint64_t tag) { return static_cast<int>(tag & ((uint64_t{1} << kSlotBits) - 1)); }

}  // namespace

absl::StatusOr<std::unique_ptr<UringReader>> UringReader::Create(
    const MemoryReaderOptions& options) {
  std::unique_ptr<UringReader> reader(new UringReader(options));
  M3_RETURN_IF_ERROR(reader->Start(options.depth));
  return reader;
}

UringReader::UringReader(const MemoryReaderOptions& options)
    : direct_(options.direct),
      gate_(options.gate),
      buffers_(options.buffers),
      queue_(options.queue),
      slots_(options.depth) {
  for (int slot = options.depth - 1; slot >= 0; --slot) free_slots_.push_back(slot);
  finished_.reserve(options.depth);
}

absl::Status UringReader::Start(int depth) {
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  if (wake_fd_ < 0) return absl::ErrnoToStatus(errno, "eventfd");
  const int error = -io_uring_queue_init(depth + 1, &ring_, 0);  // one more for the wake-up
  if (error != 0) return absl::ErrnoToStatus(error, "io_uring_setup");
  ring_open_ = true;
  RegisterBuffers();
  name_ = absl::StrCat("io_uring, ", direct_ == DirectReads::kOff ? "buffered" : "direct",
                       fixed_ ? ", fixed buffers" : "");
  thread_ = std::thread([this] { Serve(); });
  return absl::OkStatus();
}

void UringReader::RegisterBuffers() {
  const absl::Span<uint8_t> block =
      buffers_ == nullptr ? absl::Span<uint8_t>() : buffers_->fixed_block();
  if (block.empty()) return;
  const iovec vector = {.iov_base = block.data(), .iov_len = block.size()};
  const int error = -io_uring_register_buffers(&ring_, &vector, 1);
  fixed_ = error == 0;
  if (!fixed_) {
    fixed_status_ = absl::ErrnoToStatus(
        error, absl::StrCat("registering ", block.size() >> 20, " MiB (see ulimit -l)"));
  }
}

UringReader::~UringReader() {
  if (thread_.joinable()) {
    queue_.Close();
    Wake();
    thread_.join();
  }
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

absl::Status UringReader::Read(ReadJob job) {
  M3_RETURN_IF_ERROR(CheckJob(job, direct_));
  M3_RETURN_IF_ERROR(queue_.Push(std::move(job)));
  if (asleep_.exchange(false)) Wake();
  return absl::OkStatus();
}

void UringReader::Wake() {
  const uint64_t one = 1;
  ssize_t written;
  do {
    written = write(wake_fd_, &one, sizeof(one));
  } while (written < 0 && errno == EINTR);
  M3_CHECK(written == sizeof(one));
}

void UringReader::Serve() {
  while (true) {
    StartQueued();
    const bool idle = free_slots_.size() == slots_.size() && finished_.empty();
    if (idle && !wake_armed_ && queue_.closed() && queue_.empty()) return;
    SubmitAndWait();
    // Only now, so that the device works on the next reads while these are looked at.
    FinishAll();
    Reap();
  }
}

void UringReader::StartQueued() {
  const bool closed = queue_.closed();
  if (!wake_armed_ && !closed) ArmWake();
  ReadJob job;
  while (!free_slots_.empty() && queue_.TryPop(&job)) {
    ReadProgress progress(std::move(job), direct_, &tally_);
    if (closed) {
      progress.Finish(absl::CancelledError("the reader shuts down"));
      continue;
    }
    const int slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot].progress = std::move(progress);
    StartPiece(slot);
  }
}

void UringReader::StartPiece(int index) {
  Slot& slot = slots_[index];
  slot.piece = slot.progress.Next();
  slot.tag = (++last_tag_ << kSlotBits) | static_cast<uint64_t>(index);
  const auto& [fd, data, offset, wanted] = slot.piece;
  const int64_t length = gate_ ? gate_(fd, offset, wanted) : wanted;
  slot.use_gated = length <= 0;
  slot.gated = length;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  M3_CHECK(sqe != nullptr);  // the ring has an entry for every slot and one for the wake-up
  if (slot.use_gated) {
    io_uring_prep_nop(sqe);
  } else if (fixed_ && buffers_->IsFixed(data)) {
    io_uring_prep_read_fixed(sqe, fd, data, static_cast<unsigned>(length), offset,
                             kFixedBlockIndex);
  } else {
    io_uring_prep_read(sqe, fd, data, static_cast<unsigned>(length), offset);
  }
  io_uring_sqe_set_data64(sqe, slot.tag);
}

void UringReader::ArmWake() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  M3_CHECK(sqe != nullptr);
  io_uring_prep_read(sqe, wake_fd_, &wake_value_, sizeof(wake_value_), 0);
  io_uring_sqe_set_data64(sqe, kWakeTag);
  wake_armed_ = true;
}

void UringReader::SubmitAndWait() {
  bool wait = finished_.empty();
  if (wait) {
    // Who queues a job after this line wakes us; who did so before is seen by empty(). With every
    // slot taken a queued job has to wait for a completion anyway.
    asleep_ = true;
    if (!free_slots_.empty() && !queue_.empty()) wait = false;
  }
  const int result = io_uring_submit_and_wait(&ring_, wait ? 1 : 0);
  asleep_ = false;
  // What the system may answer to a correct call; the entries stay in the ring and are submitted in
  // the next round.
  M3_CHECK(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY ||
           result == -ENOMEM);
}

void UringReader::Reap() {
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
    const uint64_t tag = io_uring_cqe_get_data64(cqe);
    const int result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    OnCompletion(tag, result);
  }
}

void UringReader::OnCompletion(uint64_t tag, int result) {
  if (tag == kWakeTag) {
    wake_armed_ = false;
    return;
  }
  Slot& slot = slots_[SlotOf(tag)];
  M3_CHECK(slot.tag == tag);  // the kernel answers each entry once
  slot.tag = 0;
  std::optional<absl::Status> end = slot.progress.Advance(slot.use_gated ? slot.gated : result);
  if (!end) {
    StartPiece(SlotOf(tag));
    return;
  }
  finished_.push_back({std::move(slot.progress), *std::move(end)});
  free_slots_.push_back(SlotOf(tag));
}

void UringReader::FinishAll() {
  for (Finished& job : finished_) job.progress.Finish(std::move(job.status));
  finished_.clear();
}

}  // namespace memory3
