#include "tests/unit/memory/faulty_reader.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace memory3 {

FaultyReader::FaultyReader(MemoryReader& base, Plan plan)
    : base_(base), plan_(std::move(plan)), thread_([this] { Deliver(); }) {}

FaultyReader::~FaultyReader() {
  {
    MutexLock lock(mutex_);
    held_ = false;
    closing_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

absl::Status FaultyReader::Read(ReadJob job) {
  int64_t number;
  {
    MutexLock lock(mutex_);
    number = reads_++;
    ++outstanding_;
  }
  ReadFault fault = plan_ ? plan_(number, job.offset) : ReadFault();
  auto shared = std::make_shared<ReadJob>(std::move(job));
  absl::Status queued =
      base_.Read({.file = shared->file,
                  .offset = shared->offset,
                  .bytes = shared->bytes,
                  .done = [this, shared, fault = std::move(fault)](absl::Status status) {
                    OnRead(std::move(*shared), fault, std::move(status));
                  }});
  if (!queued.ok()) {
    MutexLock lock(mutex_);
    --reads_;
    --outstanding_;
  }
  return queued;
}

void FaultyReader::OnRead(ReadJob job, const ReadFault& fault, absl::Status status) {
  if (!fault.error.ok()) {
    std::fill_n(job.bytes.begin(), job.bytes.size() / 2, uint8_t{0xAA});
    status = fault.error;
  } else if (fault.flip_at >= 0) {
    job.bytes[fault.flip_at] ^= 1 << (fault.flip_at % 8);
  }
  MutexLock lock(mutex_);
  completions_.emplace(clock_.Steady() + fault.delay,
                       Completion{std::move(job), std::move(status)});
  changed_.SignalAll();
}

void FaultyReader::Deliver() {
  while (true) {
    Completion next;
    {
      MutexLock lock(mutex_);
      while (true) {
        if (closing_ && outstanding_ == 0) return;
        if (held_ || completions_.empty()) {
          changed_.Wait(mutex_);
          continue;
        }
        const absl::Duration wait = completions_.begin()->first - clock_.Steady();
        if (wait <= absl::ZeroDuration()) break;
        changed_.WaitFor(mutex_, wait);
      }
      next = std::move(completions_.begin()->second);
      completions_.erase(completions_.begin());
    }
    next.job.done(std::move(next.status));
    next = {};
    MutexLock lock(mutex_);
    --outstanding_;
  }
}

void FaultyReader::Hold() {
  MutexLock lock(mutex_);
  held_ = true;
}

void FaultyReader::Release() {
  MutexLock lock(mutex_);
  held_ = false;
  changed_.SignalAll();
}

int64_t FaultyReader::reads() const {
  MutexLock lock(mutex_);
  return reads_;
}

}  // namespace memory3
