// A reader whose device misbehaves as a test says: errors, flipped bits, delays, completions that
// are held back.
#ifndef MEMORY3_TESTS_UNIT_MEMORY_FAULTY_READER_H_
#define MEMORY3_TESTS_UNIT_MEMORY_FAULTY_READER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <thread>

#include "absl/time/time.h"
#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/memory/memory_reader.h"

namespace memory3 {

struct ReadFault {
  absl::Status error;    // reported instead of the truth, with half of the bytes destroyed
  int64_t flip_at = -1;  // byte of the record in which one bit changes
  absl::Duration delay;  // of the completion
};

// Over another reader, which must outlive it. Thread-safe if `plan` is.
class FaultyReader final : public MemoryReader {
 public:
  // Asked once per read, on the caller's thread; `number` counts from 0.
  using Plan = std::function<ReadFault(int64_t number, int64_t offset)>;

  explicit FaultyReader(MemoryReader& base, Plan plan = nullptr);
  ~FaultyReader() override;  // waits; what is held is released

  absl::Status Read(ReadJob job) override;
  std::string_view name() const override { return "faulty"; }

  // From Hold to Release no completion gets through.
  void Hold();
  void Release();
  int64_t reads() const;  // accepted so far

 private:
  struct Completion {
    ReadJob job;
    absl::Status status;
  };
  void OnRead(ReadJob job, const ReadFault& fault, absl::Status status);
  void Deliver();

  MemoryReader& base_;
  const Plan plan_;
  const RealClock clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::multimap<absl::Duration, Completion> completions_ ABSL_GUARDED_BY(mutex_);  // by due time
  int64_t reads_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t outstanding_ ABSL_GUARDED_BY(mutex_) = 0;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_MEMORY_FAULTY_READER_H_
