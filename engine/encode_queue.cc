#include "engine/encode_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/field_error.h"

namespace memory3 {

absl::Status CheckReferences(absl::Span<const std::vector<int32_t>> references,
                             const RunnerInfo& info) {
  if (info.memory.slots == 0) {
    return absl::FailedPreconditionError("the model was loaded without explicit memory");
  }
  if (references.empty()) return FieldError("references", "must have at least one");
  for (size_t i = 0; i < references.size(); ++i) {
    const std::vector<int32_t>& ids = references[i];
    const std::string field = absl::StrCat("references[", i, "]");
    if (ids.empty() || ids.size() > static_cast<size_t>(info.memory.reference_tokens)) {
      return FieldError(field, absl::StrCat("must have 1 to ", info.memory.reference_tokens,
                                            " tokens, got ", ids.size()));
    }
    for (const int32_t id : ids) {
      if (id >= 0 && id < info.vocab) continue;
      return FieldError(field, absl::StrCat("has a token id out of [0, ", info.vocab, "): ", id));
    }
  }
  return absl::OkStatus();
}

void EncodeQueue::RunBatch(int max_references) {
  const size_t limit = std::min(max_references, runner_.info().memory.max_references_per_encode);
  batch_.clear();
  int jobs = 0;
  for (const Progress& progress : jobs_) {
    if (batch_.size() == limit) break;
    ++jobs;
    const auto& references = progress.job.references;
    for (size_t i = progress.memories.size(); i < references.size() && batch_.size() < limit; ++i) {
      batch_.push_back(references[i]);
    }
  }
  if (batch_.empty()) return;
  std::vector<std::shared_ptr<const MemoryTensor>> encoded;
  absl::Status status = runner_.EncodeReferences(batch_, &encoded);
  if (status.ok() && encoded.size() != batch_.size()) {
    status = absl::InternalError("memories are missing");
  }
  if (!status.ok()) {
    return FailFront(
        jobs, absl::InternalError(absl::StrCat("the model failed to encode: ", status.message())));
  }
  size_t next = 0;
  while (next < encoded.size()) {
    Progress& front = jobs_.front();
    const size_t wanted = front.job.references.size();
    while (front.memories.size() < wanted && next < encoded.size()) {
      front.memories.push_back(std::move(encoded[next++]));
    }
    if (front.memories.size() < wanted) return;
    Progress done = std::move(front);
    jobs_.pop_front();
    done.job.done(std::move(done.memories));
  }
}

void EncodeQueue::FailFront(int jobs, const absl::Status& status) {
  for (; jobs > 0; --jobs) {
    Progress failed = std::move(jobs_.front());
    jobs_.pop_front();
    failed.job.done(absl::Status(status.code(), status.message()));
  }
}

void EncodeQueue::EndAll(const absl::Status& status) {
  FailFront(static_cast<int>(jobs_.size()), status);
}

}  // namespace memory3
