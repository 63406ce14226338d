// Memories for a bench that wants every one of them cold: a file of records on a real disk, and a
// retriever that never names a memory twice until it has named all.
#ifndef MEMORY3_TOOLS_SYNTHETIC_BANK_H_
#define MEMORY3_TOOLS_SYNTHETIC_BANK_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/memory/memory_store.h"
#include "engine/memory/retriever.h"
#include "engine/runner/runner.h"

namespace memory3 {

// Encodes a few random references and writes `records` records of them to a temporary file in
// `folder`, which goes with the object. Thread-safe.
class SyntheticBank : public MemoryStore {
 public:
  static absl::StatusOr<std::unique_ptr<SyntheticBank>> Create(Runner& runner,
                                                               const std::filesystem::path& folder,
                                                               int records, uint64_t seed);
  ~SyntheticBank() override;

  const MemoryShape& shape() const override { return shape_; }
  uint64_t epoch() const override { return kEpoch; }
  bool IsOpen(uint64_t epoch) const override { return epoch == kEpoch; }
  absl::StatusOr<RecordPlace> Find(const MemoryKey& key) const override;

  static constexpr uint64_t kEpoch = 1;

 private:
  SyntheticBank() = default;
  absl::Status Write(absl::Span<const std::shared_ptr<const MemoryTensor>> memories, int records);

  MemoryShape shape_;
  std::filesystem::path path_;
  int tokens_ = 0;
  std::vector<uint32_t> checksums_;
  std::shared_ptr<const RecordFile> file_;
};

// Answers at once, on the calling thread: what a sidecar costs is not part of this bench.
class RoundRobinRetriever : public Retriever {
 public:
  RoundRobinRetriever(int records, int per_query) : records_(records), per_query_(per_query) {}
  void Retrieve(std::vector<std::string> queries, absl::Duration timeout, Done done) override;

 private:
  const int records_;
  const int per_query_;
  std::atomic<uint64_t> next_ = 0;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_SYNTHETIC_BANK_H_
