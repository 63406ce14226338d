#include "tools/synthetic_bank.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/bank_files.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/bank/record_size.h"
#include "tools/bench_workload.h"

namespace memory3 {
namespace {

constexpr int kDistinctMemories = 4;

}  // namespace

absl::StatusOr<std::unique_ptr<SyntheticBank>> SyntheticBank::Create(
    Runner& runner, const std::filesystem::path& folder, int records, uint64_t seed) {
  const RunnerInfo& info = runner.info();
  std::vector<std::vector<int32_t>> references;
  std::vector<absl::Span<const int32_t>> views;
  for (int i = 0; i < kDistinctMemories; ++i) {
    references.push_back(RandomPrompt(seed, i, info.memory.reference_tokens, info.vocab));
  }
  for (const std::vector<int32_t>& reference : references) views.push_back(reference);
  std::vector<std::shared_ptr<const MemoryTensor>> memories, encoded;
  for (const absl::Span<const int32_t>& view : views) {
    M3_RETURN_IF_ERROR(runner.EncodeReferences({&view, 1}, &encoded));
    memories.push_back(encoded.front());
  }
  std::unique_ptr<SyntheticBank> bank(new SyntheticBank());
  bank->shape_ = info.memory.shape;
  bank->tokens_ = memories.front()->tokens;
  bank->path_ = folder / absl::StrCat("memory3-bench-", getpid(), ".records");
  M3_RETURN_IF_ERROR(bank->Write(memories, records));
  M3_ASSIGN_OR_RETURN(bank->file_, RecordFile::Open(bank->path_, /*direct=*/true));
  return bank;
}

SyntheticBank::~SyntheticBank() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

absl::Status SyntheticBank::Write(absl::Span<const std::shared_ptr<const MemoryTensor>> memories,
                                  int records) {
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return FileError(path_, "cannot be made");
  absl::Status status;
  for (int id = 0; id < records && status.ok(); ++id) {
    const absl::Span<const uint8_t> record = memories[id % memories.size()]->bytes;
    checksums_.push_back(RecordChecksum(id, tokens_, record));
    status = WriteAll(fd, {reinterpret_cast<const char*>(record.data()), record.size()}, path_);
  }
  // Out of the page cache, where a reader without O_DIRECT would find it.
  if (status.ok() && fsync(fd) != 0) status = FileError(path_, "cannot be synced");
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  close(fd);
  return status;
}

absl::StatusOr<RecordPlace> SyntheticBank::Find(const MemoryKey& key) const {
  if (key.epoch != kEpoch || key.id >= checksums_.size()) {
    return absl::NotFoundError(absl::StrCat("memory ", key.id, " of epoch ", key.epoch));
  }
  return RecordPlace{.file = file_,
                     .offset = static_cast<int64_t>(key.id) * RecordBytes(shape_),
                     .tokens = tokens_,
                     .checksum = checksums_[key.id]};
}

void RoundRobinRetriever::Retrieve(std::vector<std::string> queries, absl::Duration timeout,
                                   Done done) {
  RetrievalAnswer answer;
  answer.epoch = SyntheticBank::kEpoch;
  const uint64_t first = next_.fetch_add(queries.size() * per_query_);
  for (size_t i = 0; i < queries.size() * per_query_; ++i) {
    if (i % per_query_ == 0) answer.results.emplace_back();
    answer.results.back().push_back({(first + i) % records_, 1.0f});
  }
  done(std::move(answer));
}

}  // namespace memory3
