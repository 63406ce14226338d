// The explicit memory of FakeRunner: slots that remember what they were filled with, and a check of
// every row's memory set.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_FAKE_MEMORY_H_
#define MEMORY3_TESTS_UNIT_ENGINE_FAKE_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/memory/memory_id.h"
#include "engine/runner/batch.h"
#include "engine/runner/runner.h"

namespace memory3 {

// A tensor whose every byte depends on `seed`, which is also its first eight bytes: tests make
// memory `id` from seed `id`.
std::shared_ptr<const MemoryTensor> MakeTestMemory(const MemoryShape& shape, uint64_t seed);
// Two layers of one KV head: small, and not a whole record.
MemoryShape TestMemoryShape();
// What FakeRunner makes of a reference.
uint64_t SeedOfReference(absl::Span<const int32_t> ids);

class FakeMemory {
 public:
  explicit FakeMemory(const RunnerMemoryInfo& info) : info_(info), slots_(info.slots) {}

  absl::Status Fill(MemorySlot slot, const MemoryTensor& memory);
  absl::Status Encode(absl::Span<const absl::Span<const int32_t>> references,
                      std::vector<std::shared_ptr<const MemoryTensor>>* memories) const;

  // What row `row` of the sequence sees.
  struct RowView {
    uint64_t hash = 0;  // of every byte, in the order of the slots; 0 without memory
    std::vector<MemoryId> ids;
  };
  // An error says what is wrong with the row memories.
  absl::Status Check(const BatchSequence& rows) const;
  RowView ViewOf(const BatchSequence& rows, int row) const;

 private:
  struct Slot {
    bool filled = false;
    MemoryId id = 0;
    uint64_t hash = 0;
  };

  const RunnerMemoryInfo& info_;
  std::vector<Slot> slots_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_FAKE_MEMORY_H_
