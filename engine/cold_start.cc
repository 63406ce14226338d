#include "engine/cold_start.h"

#include <utility>

#include "engine/base/check.h"

namespace memory3 {

ColdStart::ColdStart(ColdReferences* references, const RunnerInfo& info, EncodeQueue& encodes,
                     std::shared_ptr<MemoryMailbox> mailbox)
    : references_(references), info_(info), encodes_(encodes), mailbox_(std::move(mailbox)) {}

void ColdStart::Encode(const MemoryKey& key, CallTicket ticket) {
  M3_CHECK(available());
  std::vector<CallTicket>& tickets = waiting_[key];
  tickets.push_back(ticket);
  if (tickets.size() > 1) return;
  references_->Tokens(key, [mailbox = mailbox_, key](absl::StatusOr<std::vector<int32_t>> tokens) {
    mailbox->Post(ColdTokensCameBack{.key = key, .tokens = std::move(tokens)});
  });
}

void ColdStart::TokensArrived(ColdTokensCameBack arrived) {
  const MemoryKey key = arrived.key;
  if (!arrived.tokens.ok()) return Answer(key, arrived.tokens.status());
  EncodeJob job;
  job.references.push_back(*std::move(arrived.tokens));
  if (absl::Status status = CheckReferences(job.references, info_); !status.ok()) {
    return Answer(key, status);
  }
  job.done = [this, key](absl::StatusOr<std::vector<std::shared_ptr<const MemoryTensor>>> made) {
    if (!made.ok()) return Answer(key, made.status());
    references_->Keep(key, made->front());
    Answer(key, made->front());
  };
  encodes_.Push(std::move(job));
}

void ColdStart::Answer(const MemoryKey& key,
                       const absl::StatusOr<std::shared_ptr<const MemoryTensor>>& memory) {
  const std::vector<CallTicket> tickets = std::move(waiting_[key]);
  waiting_.erase(key);
  for (const CallTicket ticket : tickets) {
    mailbox_->Post(LoadCameBack{
        .ticket = ticket, .loaded = {.key = key, .tensor = memory, .tier = MemoryTier::kEncoded}});
  }
}

}  // namespace memory3
