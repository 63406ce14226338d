#include "engine/memory_calls.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace memory3 {

absl::Status BankNotOpenError(uint64_t epoch) {
  return absl::AbortedError(absl::StrCat("the bank of epoch ", epoch, " is not open"));
}

MemoryCalls::MemoryCalls(const EngineMemory& memory, Runner& runner, EncodeQueue& encodes,
                         EngineObserver& observer, Clock& clock, WakeSignal& wake)
    : memory_(memory),
      observer_(observer),
      clock_(clock),
      mailbox_(std::make_shared<MemoryMailbox>(wake)),
      cold_start_(memory.cold, runner.info(), encodes, mailbox_) {}

void MemoryCalls::Retrieve(const Retrieval& what, std::vector<std::string> queries) {
  const CallTicket ticket = next_ticket_++;
  retrievals_.emplace(ticket, what);
  memory_.retriever->Retrieve(
      std::move(queries), memory_.retrieval_timeout,
      [mailbox = mailbox_, ticket, count = what.chunks,
       sent = clock_.Steady()](absl::StatusOr<RetrievalAnswer> answer) {
        mailbox->Post(RetrievalCameBack{
            .ticket = ticket, .queries = count, .sent = sent, .answer = std::move(answer)});
      });
}

CallTicket MemoryCalls::LoadMemory(const Load& what, const MemoryKey& key) {
  const CallTicket ticket = next_ticket_++;
  loads_.emplace(ticket, what);
  memory_.loader->Load(key, [mailbox = mailbox_, ticket](LoadedMemory loaded) {
    mailbox->Post(LoadCameBack{.ticket = ticket, .loaded = std::move(loaded)});
  });
  return ticket;
}

void MemoryCalls::GiveUpAll(const Sequence& sequence) {
  const auto is_its = [&sequence](const auto& call) { return call.second.sequence == &sequence; };
  absl::erase_if(retrievals_, is_its);
  absl::erase_if(loads_, is_its);
}

void MemoryCalls::TakeArrived(OnRetrieved on_retrieved, OnLoaded on_loaded) {
  while (mailbox_->Take(&arrived_)) {
    for (MemoryMail& mail : arrived_) {
      if (auto* retrieval = std::get_if<RetrievalCameBack>(&mail)) {
        Take(std::move(*retrieval), on_retrieved);
      } else if (auto* load = std::get_if<LoadCameBack>(&mail)) {
        Take(std::move(*load), on_loaded);
      } else {
        cold_start_.TokensArrived(std::get<ColdTokensCameBack>(std::move(mail)));
      }
    }
  }
}

absl::Status MemoryCalls::CheckAnswer(const RetrievalAnswer& answer, int queries) const {
  if (answer.results.size() != static_cast<size_t>(queries)) {
    return absl::InternalError(
        absl::StrCat(answer.results.size(), " results for ", queries, " queries"));
  }
  // Sidecar and store take up a new bank each in its own time.
  if (!memory_.store->IsOpen(answer.epoch)) return BankNotOpenError(answer.epoch);
  return absl::OkStatus();
}

void MemoryCalls::Take(RetrievalCameBack mail, OnRetrieved handler) {
  if (mail.answer.ok()) {
    absl::Status right = CheckAnswer(*mail.answer, mail.queries);
    if (!right.ok()) mail.answer = std::move(right);
  }
  observer_.OnRetrieval(mail.answer.status(), mail.queries, clock_.Steady() - mail.sent);
  const auto found = retrievals_.find(mail.ticket);
  if (found == retrievals_.end()) return CountStale();
  const Retrieval what = found->second;
  retrievals_.erase(found);
  handler(what, std::move(mail.answer));
}

void MemoryCalls::Take(LoadCameBack mail, OnLoaded handler) {
  const auto found = loads_.find(mail.ticket);
  if (found == loads_.end()) return CountStale();
  if (absl::IsFailedPrecondition(mail.loaded.tensor.status()) && cold_start_.available() &&
      mail.loaded.tier != MemoryTier::kEncoded) {
    return cold_start_.Encode(mail.loaded.key, mail.ticket);
  }
  const Load what = found->second;
  loads_.erase(found);
  handler(what, std::move(mail.loaded));
}

}  // namespace memory3
