#include "engine/sched/memory_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/base/check.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

// Memories are loaded into host memory for so many windows, slots being filled for the first: the
// next chunks of a long prompt are there when their slots become free.
constexpr int kWindowsLoaded = 2;

}  // namespace

MemorySession::MemorySession(const MemoryRequest& request, absl::Span<const int32_t> prompt,
                             int max_tokens, const ChunkPlan& plan, int memories_per_chunk,
                             int window, const Tokenizer& tokenizer)
    : request_(request),
      plan_(plan),
      memories_per_chunk_(memories_per_chunk),
      window_(window),
      prompt_tokens_(static_cast<int>(prompt.size())),
      chunks_(plan.chunks()) {
  M3_CHECK(memories_per_chunk > 0 && window >= 2);
  context_.reserve(prompt.size() + max_tokens);
  context_.assign(prompt.begin(), prompt.end());
  row_memories_.reserve(window);
  for (int chunk = 0; chunk < plan.prompt_chunks(); ++chunk) {
    chunks_[chunk].query = QueryText(chunk, tokenizer);
  }
}

int MemorySession::slots_reserved() const {
  return std::min(window_, plan_.chunks()) * memories_per_chunk_;
}

int MemorySession::window_end() const { return std::min(plan_.chunks(), first_held_ + window_); }

int MemorySession::load_end() const {
  return std::min(plan_.chunks(), first_held_ + kWindowsLoaded * window_);
}

// Whole characters only: a chunk's border may lie within one.
std::string MemorySession::QueryText(int chunk, const Tokenizer& tokenizer) const {
  const TokenRange range = plan_.QueryTokens(chunk);
  return ReplaceInvalidUtf8(
      tokenizer.Decode(absl::MakeConstSpan(context_).subspan(range.begin, range.end - range.begin),
                       /*skip_special_tokens=*/true));
}

std::optional<int> MemorySession::TokenSampled(int32_t token, const Tokenizer& tokenizer) {
  context_.push_back(token);
  const std::optional<int> due =
      plan_.QueryAfter(static_cast<int>(context_.size()) - prompt_tokens_);
  if (due.has_value()) chunks_[*due].query = QueryText(*due, tokenizer);
  return due;
}

bool MemorySession::IsReady(int index) const {
  const SessionChunk& chunk = chunks_[index];
  return chunk.stage == SessionChunk::Stage::kNamed &&
         std::all_of(chunk.memories.begin(), chunk.memories.end(), [](const WantedMemory& memory) {
           return memory.state == WantedMemory::State::kInSlot ||
                  memory.state == WantedMemory::State::kMissing;
         });
}

void MemorySession::Settle(ChunkReport report) {
  SessionChunk& chunk = chunks_[settled_];
  chunk.stage = SessionChunk::Stage::kSettled;
  chunk.memories.clear();
  chunk.query.clear();
  ++settled_;
  ++usage_.memory_chunks;
  usage_.late_chunks += report.late;
  usage_.degraded_chunks += report.degraded;
  usage_.memories += static_cast<int>(report.memories.size());
  usage_.memory_wait += report.wait_time;
  if (request_.details) reports_.push_back(std::move(report));
}

int MemorySession::RunnableRows(int cached_tokens) const {
  return plan_.FirstRow(settled_) - cached_tokens;
}

absl::Span<const RowMemories> MemorySession::MemoriesOf(int first_row, int rows) {
  row_memories_.clear();
  const int last = plan_.ChunkOf(first_row + rows - 1);
  M3_CHECK(last < settled_);
  for (int chunk = plan_.ChunkOf(first_row); chunk <= last; ++chunk) {
    M3_CHECK(chunk >= first_held_);
    row_memories_.push_back({.first_row = std::max(0, plan_.FirstRow(chunk) - first_row),
                             .slots = chunks_[chunk].slots});
  }
  return row_memories_;
}

void MemorySession::MoveReports(std::vector<ChunkReport>* reports) {
  std::move(reports_.begin(), reports_.end(), std::back_inserter(*reports));
  reports_.clear();
}

void MemorySession::AddUsage(absl::Duration now, GenerationEvent::Usage* usage) const {
  usage->memory_chunks = usage_.memory_chunks;
  usage->late_chunks = usage_.late_chunks;
  usage->degraded_chunks = usage_.degraded_chunks;
  usage->memories = usage_.memories;
  usage->memory_wait = usage_.memory_wait;
  if (waiting_since.has_value()) usage->memory_wait += now - *waiting_since;
}

}  // namespace memory3
