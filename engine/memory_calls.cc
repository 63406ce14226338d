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
  retrievals_.emplace(ticket, RetrievalUnderWay{.what = what, .sent = clock_.Steady()});
  memory_.retriever->Retrieve(
      std::move(queries), memory_.retrieval_timeout,
      [mailbox = mailbox_, ticket](absl::StatusOr<RetrievalAnswer> answer) {
        mailbox->Post(RetrievalCameBack{.ticket = ticket, .answer = std::move(answer)});
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
  for (auto& [ticket, call] : retrievals_) {
    if (call.what.sequence == &sequence) call.what.sequence = nullptr;
  }
  absl::erase_if(loads_,
                 [&sequence](const auto& load) { return load.second.sequence == &sequence; });
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
  EndOverdue(on_retrieved);
}

absl::Duration MemoryCalls::NextOverdue() const {
  return retrievals_.empty() ? absl::InfiniteDuration() : OverdueAt(retrievals_.begin()->second);
}

void MemoryCalls::EndOverdue(OnRetrieved handler) {
  while (clock_.Steady() >= NextOverdue()) {
    const RetrievalUnderWay call = retrievals_.begin()->second;
    retrievals_.erase(retrievals_.begin());
    End(call,
        absl::DeadlineExceededError(
            absl::StrCat("no answer within ", absl::FormatDuration(memory_.retrieval_timeout))),
        handler);
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
  const auto found = retrievals_.find(mail.ticket);
  // It was overdue, and counted as that.
  if (found == retrievals_.end()) return CountStale();
  const RetrievalUnderWay call = found->second;
  retrievals_.erase(found);
  if (mail.answer.ok()) {
    absl::Status right = CheckAnswer(*mail.answer, call.what.chunks);
    if (!right.ok()) mail.answer = std::move(right);
  }
  if (call.what.sequence == nullptr) CountStale();
  End(call, std::move(mail.answer), handler);
}

void MemoryCalls::End(const RetrievalUnderWay& call, absl::StatusOr<RetrievalAnswer> answer,
                      OnRetrieved handler) {
  observer_.OnRetrieval(answer.status(), call.what.chunks, clock_.Steady() - call.sent);
  if (call.what.sequence != nullptr) handler(call.what, std::move(answer));
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
