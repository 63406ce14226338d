#include "engine/memory_director.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

using Stage = SessionChunk::Stage;
using State = WantedMemory::State;

// Waiting does not bring such a memory.
bool IsForGood(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsDataLoss(status) ||
         absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
}

std::string StatusText(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
}

// What is wrong with a chunk's memories so far, for people; empty when nothing is.
std::string Problems(const SessionChunk& chunk) {
  if (chunk.stage == Stage::kFailed) return absl::StrCat("retrieval: ", StatusText(chunk.problem));
  if (chunk.stage == Stage::kAsked) return "retrieval: no answer yet";
  std::string problems;
  for (const WantedMemory& memory : chunk.memories) {
    if (memory.state == State::kInSlot) continue;
    absl::StrAppend(&problems, problems.empty() ? "" : "; ", "memory ", memory.key.id, ": ",
                    memory.problem.empty() ? "not loaded yet" : memory.problem);
  }
  return problems;
}

// The chunk's memories as the retriever ordered them, each once, at most `limit`.
void Name(uint64_t epoch, absl::Span<const RetrievedMemory> named, int limit, SessionChunk* chunk) {
  chunk->stage = Stage::kNamed;
  chunk->epoch = epoch;
  for (const RetrievedMemory& memory : named) {
    if (static_cast<int>(chunk->memories.size()) == limit) break;
    const bool is_new =
        std::none_of(chunk->memories.begin(), chunk->memories.end(),
                     [&](const WantedMemory& wanted) { return wanted.key.id == memory.id; });
    if (!is_new) continue;
    chunk->memories.push_back({.key = {.epoch = epoch, .id = memory.id}, .score = memory.score});
  }
}

absl::Status RequiredError(int chunk, std::string_view problems) {
  return absl::UnavailableError(absl::StrCat("memory is required, but chunk ", chunk, " lacks it: ",
                                             absl::string_view(problems.data(), problems.size())));
}

}  // namespace

MemoryDirector::MemoryDirector(const EngineMemory& memory, Runner& runner,
                               const Tokenizer& tokenizer, EncodeQueue& encodes,
                               EngineObserver& observer, Clock& clock, WakeSignal& wake)
    : memory_(memory),
      runner_(runner),
      tokenizer_(tokenizer),
      observer_(observer),
      clock_(clock),
      slots_(runner.info().memory.slots),
      calls_(memory, runner, encodes, observer, clock, wake),
      backoff_(memory.backoff_seed) {}

void MemoryDirector::Begin(Sequence& sequence) {
  const int chunks = sequence.memory->plan().prompt_chunks();
  for (int first = 0; first < chunks; first += kMaxQueriesPerRetrieval) {
    Ask(sequence, first, std::min(kMaxQueriesPerRetrieval, chunks - first));
  }
}

void MemoryDirector::Forget(Sequence& sequence) {
  calls_.GiveUpAll(sequence);
  MemorySession& session = *sequence.memory;
  for (int i = session.first_held(); i < session.window_end(); ++i) {
    SessionChunk& chunk = session.chunk(i);
    DropMemories(chunk);
    for (const MemorySlot slot : chunk.slots) slots_.Release(slot);
    chunk.slots.clear();
  }
}

void MemoryDirector::TokenSampled(Sequence& sequence, int32_t token) {
  const std::optional<int> due = sequence.memory->TokenSampled(token, tokenizer_);
  if (due.has_value()) Ask(sequence, *due, 1);
}

// ---- retrieval

void MemoryDirector::Ask(Sequence& sequence, int first_chunk, int chunks) {
  const absl::Duration now = clock_.Steady();
  std::vector<std::string> queries;
  queries.reserve(chunks);
  for (int i = first_chunk; i < first_chunk + chunks; ++i) {
    SessionChunk& chunk = sequence.memory->chunk(i);
    chunk.stage = Stage::kAsked;
    if (!chunk.asked.has_value()) chunk.asked = now;
    queries.push_back(chunk.query);
  }
  calls_.Retrieve({.sequence = &sequence, .first_chunk = first_chunk, .chunks = chunks},
                  std::move(queries));
}

// Chunks whose call failed are due at the same time, and go in one call again.
void MemoryDirector::AskAgain(Sequence& sequence, absl::Duration now) {
  MemorySession& session = *sequence.memory;
  const auto is_due = [&](int i) {
    const SessionChunk& chunk = session.chunk(i);
    return chunk.stage == Stage::kFailed && now >= chunk.retry_at;
  };
  for (int first = session.settled(); first < session.plan().chunks(); ++first) {
    int end = first;
    while (end < session.plan().chunks() && end - first < kMaxQueriesPerRetrieval && is_due(end)) {
      ++end;
    }
    if (end == first) continue;
    Ask(sequence, first, end - first);
    first = end - 1;
  }
}

void MemoryDirector::Retrieved(const Retrieval& what, absl::StatusOr<RetrievalAnswer> answer) {
  MemorySession& session = *what.sequence->memory;
  const absl::Duration now = clock_.Steady();
  session.attention_at = -absl::InfiniteDuration();
  const int failures = session.chunk(what.first_chunk).failures + 1;
  const absl::Duration retry_at = session.request().policy == MemoryPolicy::kStrict && !answer.ok()
                                      ? now + backoff_.Next(failures)
                                      : absl::InfiniteDuration();
  for (int i = 0; i < what.chunks; ++i) {
    SessionChunk& chunk = session.chunk(what.first_chunk + i);
    if (chunk.stage != Stage::kAsked) {
      calls_.CountStale();
      continue;
    }
    chunk.retrieval_time = now - *chunk.asked;
    if (answer.ok()) {
      Name(answer->epoch, answer->results[i], session.memories_per_chunk(), &chunk);
    } else {
      chunk.stage = Stage::kFailed;
      chunk.problem = answer.status();
      ++chunk.failures;
      chunk.retry_at = retry_at;
    }
  }
  // At once, so that what the loader has in its cache is there before the next boundary.
  FetchMemories(*what.sequence, now);
}

// ---- loads and slots

void MemoryDirector::TakeArrived() {
  calls_.TakeArrived(
      [this](const Retrieval& what, absl::StatusOr<RetrievalAnswer> answer) {
        Retrieved(what, std::move(answer));
      },
      [this](const Load& what, LoadedMemory loaded) { Loaded(what, std::move(loaded)); });
}

void MemoryDirector::Loaded(const Load& what, LoadedMemory loaded) {
  MemorySession& session = *what.sequence->memory;
  WantedMemory& memory = session.chunk(what.chunk).memories[what.index];
  const absl::Duration now = clock_.Steady();
  session.attention_at = -absl::InfiniteDuration();
  memory.load_time = now - *memory.asked;
  memory.tier = loaded.tier;
  if (loaded.tensor.ok()) {
    memory.state = State::kLoaded;
    memory.tensor = *std::move(loaded.tensor);
    return;
  }
  memory.problem = StatusText(loaded.tensor.status());
  if (IsOutdated(session, memory.key, loaded.tensor.status())) {
    // Fetch finds the same, and has the chunk asked for again.
    memory.state = State::kWanted;
    return;
  }
  if (session.request().policy == MemoryPolicy::kStrict && !IsForGood(loaded.tensor.status())) {
    memory.state = State::kWanted;
    memory.retry_at = now + backoff_.Next(++memory.failures);
  } else {
    memory.state = State::kMissing;
  }
}

// Slots of chunks whose rows have all run, but the newest settled one's: those a late chunk would
// go on with. Under strict no chunk is ever late.
void MemoryDirector::ReleaseSeen(MemorySession& session, int next) {
  const bool strict = session.request().policy == MemoryPolicy::kStrict;
  const int end = strict ? next : std::min(next, session.settled() - 1);
  while (session.first_held() < end) {
    SessionChunk& chunk = session.chunk(session.first_held());
    for (const MemorySlot slot : chunk.slots) slots_.Release(slot);
    chunk.slots.clear();
    session.SlotsReleased();
  }
}

void MemoryDirector::FetchMemories(Sequence& sequence, absl::Duration now) {
  MemorySession& session = *sequence.memory;
  for (int i = session.settled(); i < session.load_end(); ++i) {
    SessionChunk& chunk = session.chunk(i);
    if (chunk.stage != Stage::kNamed) continue;
    bool current = true;
    for (size_t m = 0; current && m < chunk.memories.size(); ++m) {
      current = Fetch({.sequence = &sequence, .chunk = i, .index = static_cast<int>(m)},
                      /*into_slot=*/i < session.window_end(), now);
    }
    if (current) continue;
    DropMemories(chunk);
    chunk.stage = Stage::kFailed;
    chunk.problem = BankNotOpenError(chunk.epoch);
    chunk.retry_at = now + backoff_.Next(++chunk.failures);
  }
}

bool MemoryDirector::IsOutdated(const MemorySession& session, const MemoryKey& key,
                                const absl::Status& found) const {
  return session.request().policy == MemoryPolicy::kStrict && absl::IsNotFound(found) &&
         !memory_.store->IsOpen(key.epoch);
}

bool MemoryDirector::Fetch(const Load& what, bool into_slot, absl::Duration now) {
  MemorySession& session = *what.sequence->memory;
  WantedMemory& memory = session.chunk(what.chunk).memories[what.index];
  if (memory.state == State::kLoaded && into_slot) FillSlot(memory);
  if (memory.state != State::kWanted || now < memory.retry_at) return true;
  if (!memory.asked.has_value()) memory.asked = now;
  // A slot may still hold what was deleted meanwhile.
  const absl::Status found = memory_.store->Find(memory.key).status();
  if (IsOutdated(session, memory.key, found)) return false;
  if (absl::IsNotFound(found)) {
    memory.state = State::kMissing;
    memory.problem = StatusText(found);
    return true;
  }
  if (slots_.Contains(memory.key)) {
    if (into_slot) {
      memory.slot = *slots_.Acquire(memory.key);
      memory.state = State::kInSlot;
      memory.tier = MemoryTier::kDevice;
    }
    return true;
  }
  memory.state = State::kLoading;
  memory.ticket = calls_.LoadMemory(what, memory.key);
  return true;
}

void MemoryDirector::FillSlot(WantedMemory& memory) {
  // Another sequence may have been quicker.
  const std::optional<MemorySlot> shared = slots_.Acquire(memory.key);
  memory.slot = shared.has_value() ? *shared : slots_.Insert(memory.key);
  memory.state = State::kInSlot;
  if (!shared.has_value()) {
    const absl::Status filled = runner_.FillSlot(memory.slot, memory.tensor);
    if (!filled.ok()) {
      slots_.Discard(memory.slot);
      memory.state = State::kMissing;
      memory.problem = StatusText(filled);
    }
  }
  memory.tensor.reset();
}

void MemoryDirector::DropMemories(SessionChunk& chunk) {
  for (const WantedMemory& memory : chunk.memories) {
    if (memory.state == State::kInSlot) slots_.Release(memory.slot);
    if (memory.state == State::kLoading) calls_.GiveUpLoad(memory.ticket);
  }
  chunk.memories.clear();
}

// ---- boundaries

void MemoryDirector::Advance(Sequence& sequence, absl::Duration now) {
  MemorySession& session = *sequence.memory;
  const int next = session.plan().ChunkOf(sequence.cached_tokens());
  if (next == session.attended_chunk && now < session.attention_at) return;
  session.attended_chunk = next;
  AskAgain(sequence, now);
  // What settles may free slots, and with them fetch what settles next.
  do {
    ReleaseSeen(session, next);
    FetchMemories(sequence, now);
  } while (SettleNext(sequence, next, now));
  if (sequence.finished()) return;
  const bool waits = next >= session.settled();
  const bool waited = sequence.state() == SequenceState::kWaitingForMemory;
  if (waits && !waited) sequence.WaitForMemory();
  if (!waits && waited) sequence.GoOn();
  session.attention_at = NextAttention(session);
}

bool MemoryDirector::SettleNext(Sequence& sequence, int next, absl::Duration now) {
  MemorySession& session = *sequence.memory;
  const int index = session.settled();
  if (sequence.finished() || index >= session.window_end()) return false;
  // Chunks of the prompt settle ahead, so that one step can run several; a chunk of the answer at
  // its boundary.
  if (index > next && index >= session.plan().prompt_chunks()) return false;
  const SessionChunk& chunk = session.chunk(index);
  const MemoryRequest& request = session.request();
  if (session.IsReady(index)) {
    const std::string problems = request.required ? Problems(chunk) : "";
    if (problems.empty()) {
      SettleReady(session, now);
    } else {
      sequence.End(RequiredError(index, problems));
    }
    return true;
  }
  if (index == next && !session.waiting_since.has_value()) session.waiting_since = now;
  const bool is_over = index == next && now - *session.waiting_since >= WaitLimit(session);
  if (request.policy == MemoryPolicy::kStrict) {
    if (!is_over) return false;
    sequence.End(absl::UnavailableError(
        absl::StrCat("the memories of chunk ", index, " did not come within ",
                     absl::FormatDuration(memory_.strict_timeout), ": ", Problems(chunk))));
    return true;
  }
  if (!is_over && chunk.stage != Stage::kFailed) return false;
  if (request.required) {
    sequence.End(RequiredError(index, Problems(chunk)));
  } else {
    SettleLate(session, Problems(chunk), now);
  }
  return true;
}

void MemoryDirector::SettleReady(MemorySession& session, absl::Duration now) {
  SessionChunk& chunk = session.chunk(session.settled());
  chunk.seen_epoch = chunk.epoch;
  for (const WantedMemory& memory : chunk.memories) {
    if (memory.state != State::kInSlot) continue;
    chunk.slots.push_back(memory.slot);
    chunk.seen.push_back({.id = memory.key.id,
                          .score = memory.score,
                          .tier = memory.tier,
                          .load_time = memory.load_time});
  }
  ChunkReport report;
  report.reason = Problems(chunk);
  report.degraded = !report.reason.empty();
  Settle(session, std::move(report), now);
}

void MemoryDirector::SettleLate(MemorySession& session, std::string why, absl::Duration now) {
  SessionChunk& chunk = session.chunk(session.settled());
  ChunkReport report;
  report.late = true;
  report.degraded = chunk.stage == Stage::kFailed;
  report.reason = std::move(why);
  DropMemories(chunk);
  if (session.settled() > 0) {
    const SessionChunk& before = session.chunk(session.settled() - 1);
    chunk.slots = before.slots;
    chunk.seen = before.seen;
    chunk.seen_epoch = before.seen_epoch;
    for (const MemorySlot slot : chunk.slots) slots_.AddReference(slot);
  }
  Settle(session, std::move(report), now);
}

void MemoryDirector::Settle(MemorySession& session, ChunkReport report, absl::Duration now) {
  const int index = session.settled();
  const SessionChunk& chunk = session.chunk(index);
  report.chunk = index;
  report.first_token = session.plan().FirstRow(index);
  report.epoch = chunk.seen_epoch;
  report.memories = chunk.seen;
  report.retrieval_time = chunk.stage == Stage::kAsked ? now - *chunk.asked : chunk.retrieval_time;
  if (session.waiting_since.has_value()) {
    report.wait_time = now - *session.waiting_since;
    session.waiting_since.reset();
  }
  observer_.OnChunk(report);
  session.Settle(std::move(report));
}

absl::Duration MemoryDirector::WaitLimit(const MemorySession& session) const {
  return session.request().policy == MemoryPolicy::kStrict ? memory_.strict_timeout
                                                           : memory_.boundary_deadline;
}

absl::Duration MemoryDirector::NextAttention(const MemorySession& session) const {
  absl::Duration next = absl::InfiniteDuration();
  if (session.waiting_since.has_value()) next = *session.waiting_since + WaitLimit(session);
  for (int i = session.settled(); i < session.plan().chunks(); ++i) {
    const SessionChunk& chunk = session.chunk(i);
    if (chunk.stage == Stage::kFailed) next = std::min(next, chunk.retry_at);
    for (const WantedMemory& memory : chunk.memories) {
      // Those without a time wait for a slot, which a chunk that has run gives them.
      if (memory.state == State::kWanted && memory.failures > 0) {
        next = std::min(next, memory.retry_at);
      }
    }
  }
  return next;
}

}  // namespace memory3
