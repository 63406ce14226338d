#include "tests/unit/memory/test_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/memory/bank/record_checksum.h"

namespace memory3 {

TestStore::TestStore(int records, uint64_t seed)
    : bytes_(RandomBytes(seed, records * record_bytes())) {
  const auto file = folder_.WriteAndOpen("records", bytes_, /*direct=*/true);
  const auto* data = reinterpret_cast<const uint8_t*>(bytes_.data());
  for (int id = 0; id < records; ++id) {
    const int tokens = id % (shape_.kept_tokens + 1);
    const int64_t offset = id * record_bytes();
    const absl::Span<const uint8_t> record(data + offset, record_bytes());
    places.push_back({.file = file,
                      .offset = offset,
                      .tokens = tokens,
                      .checksum = RecordChecksum(id, tokens, record)});
  }
}

int64_t TestStore::record_bytes() const { return RecordBytes(shape_); }

absl::StatusOr<RecordPlace> TestStore::Find(const MemoryKey& key) const {
  if (key.epoch != kEpoch || key.id >= places.size()) {
    return absl::NotFoundError(absl::StrCat("no memory ", key.id));
  }
  if (places[key.id].file == nullptr) return absl::FailedPreconditionError("a text only");
  return places[key.id];
}

std::string TestStore::Truth(MemoryId id) const {
  return bytes_.substr(id * record_bytes(), record_bytes());
}

bool TestStore::IsTruth(MemoryId id, const MemoryTensor& tensor) const {
  return tensor.shape == shape_ && tensor.tokens == places[id].tokens &&
         static_cast<int64_t>(tensor.bytes.size()) == record_bytes() &&
         std::equal(tensor.bytes.begin(), tensor.bytes.end(),
                    reinterpret_cast<const uint8_t*>(bytes_.data()) + id * record_bytes());
}

}  // namespace memory3
