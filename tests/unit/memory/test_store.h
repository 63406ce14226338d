// A store of random records in one temporary file.
#ifndef MEMORY3_TESTS_UNIT_MEMORY_TEST_STORE_H_
#define MEMORY3_TESTS_UNIT_MEMORY_TEST_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engine/memory/memory_store.h"
#include "engine/runner/memory_tensor.h"
#include "tests/unit/memory/reader_testing.h"

namespace memory3 {

// Record i has id i; its checksum and tokens are right until a test changes `places`. Not to be
// changed while loads run.
class TestStore final : public MemoryStore {
 public:
  static constexpr uint64_t kEpoch = 7;

  explicit TestStore(int records, uint64_t seed = 1);

  const MemoryShape& shape() const override { return shape_; }
  uint64_t epoch() const override { return kEpoch; }
  bool IsOpen(uint64_t epoch) const override { return epoch == kEpoch; }
  absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const override;

  static MemoryKey Key(MemoryId id) { return {kEpoch, id}; }
  int64_t record_bytes() const;
  std::string Truth(MemoryId id) const;
  bool IsTruth(MemoryId id, const MemoryTensor& tensor) const;
  std::filesystem::path path() const { return folder_.path() / "records"; }

  std::vector<RecordPlace> places;

 private:
  const TempFolder folder_;
  // 3 layers of 2 heads, 4 tokens of 40: 3,840 bytes; padded to a block.
  const MemoryShape shape_ = {.layers = 3, .kv_heads = 2, .kept_tokens = 4, .head_dim = 40};
  std::string bytes_;
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_MEMORY_TEST_STORE_H_
