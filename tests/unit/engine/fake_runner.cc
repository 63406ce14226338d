#include "tests/unit/engine/fake_runner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

float LogprobOf(uint64_t hash) { return -static_cast<float>(hash % 100'000) / 1'000.0f; }

}  // namespace

FakeRunner::FakeRunner(RunnerInfo info)
    : info_(std::move(info)),
      slots_(info_.max_sequences),
      cells_(static_cast<size_t>(info_.kv_blocks) * info_.kv_block_tokens),
      memory_(info_.memory),
      block_owner_(info_.kv_blocks, 0) {}

void FakeRunner::BeginSequence(SequenceSlot slot, const SamplingParams& params,
                               absl::Span<const int32_t> prompt) {
  if (slot < 0 || slot >= info_.max_sequences || slots_[slot].sequence != 0) {
    Violation(absl::StrCat("slot ", slot, " opened twice or out of range")).IgnoreError();
    return;
  }
  slots_[slot] = {
      .sequence = next_sequence_++, .params = params, .prompt = {prompt.begin(), prompt.end()}};
  MutexLock lock(mutex_);
  ++open_slots_;
  if (info_.memory.slots > 0) memories_seen_[slots_[slot].prompt].clear();
}

void FakeRunner::EndSequence(SequenceSlot slot) {
  if (slot < 0 || slot >= info_.max_sequences || slots_[slot].sequence == 0) {
    Violation(absl::StrCat("slot ", slot, " closed but not open")).IgnoreError();
    return;
  }
  for (const KvBlockId block : slots_[slot].blocks) block_owner_[block] = 0;
  slots_[slot] = {};
  MutexLock lock(mutex_);
  --open_slots_;
}

absl::Status FakeRunner::Violation(std::string what) {
  MutexLock lock(mutex_);
  violations_.push_back(what);
  return absl::InternalError(what);
}

absl::Status FakeRunner::CheckRows(const BatchSequence& rows) {
  if (rows.slot < 0 || rows.slot >= info_.max_sequences || slots_[rows.slot].sequence == 0) {
    return Violation(absl::StrCat("slot ", rows.slot, " is not open"));
  }
  const Slot& slot = slots_[rows.slot];
  if (rows.tokens.empty()) return Violation("a sequence without rows");
  if (rows.first_position != slot.context) {
    return Violation(absl::StrCat("slot ", rows.slot, " has ", slot.context,
                                  " tokens but rows begin at ", rows.first_position));
  }
  const size_t end = rows.first_position + rows.tokens.size();
  const int context = info_.max_context - (rows.use_memory ? info_.memory.position_offset : 0);
  if (end > static_cast<size_t>(context)) return Violation("past the context");
  if (rows.block_table.size() * info_.kv_block_tokens < end) {
    return Violation("the block table is too short");
  }
  std::vector<int32_t> history = slot.prompt;
  history.insert(history.end(), slot.answer.begin(), slot.answer.end());
  const bool is_sampled = rows.tokens.size() == 1 && rows.tokens[0] == kSampledToken;
  if (is_sampled && (!info_.runs_ahead || slot.answer.empty() || end != history.size())) {
    return Violation(absl::StrCat("slot ", rows.slot, " has no sampled token for its next row"));
  }
  for (size_t i = 0; i < rows.tokens.size() && !is_sampled; ++i) {
    if (rows.first_position + i >= history.size() ||
        history[rows.first_position + i] != rows.tokens[i]) {
      return Violation(
          absl::StrCat("slot ", rows.slot, ": wrong token at position ", rows.first_position + i));
    }
  }
  if (rows.sample != (end == history.size())) return Violation("sampling before the last token");
  return absl::OkStatus();
}

absl::Status FakeRunner::CheckMemories(const BatchSequence& rows) {
  Slot& slot = slots_[rows.slot];
  if (slot.use_memory.value_or(rows.use_memory) != rows.use_memory) {
    return Violation("memory was switched on or off within a sequence");
  }
  slot.use_memory = rows.use_memory;
  const absl::Status checked = memory_.Check(rows);
  return checked.ok() ? checked : Violation(std::string(checked.message()));
}

absl::Status FakeRunner::ClaimBlocks(const BatchSequence& rows, Slot& slot) {
  for (const KvBlockId block : rows.block_table) {
    if (block < 0 || block >= info_.kv_blocks) return Violation("a block out of range");
    if (block_owner_[block] == slot.sequence) continue;
    if (block_owner_[block] != 0) {
      return Violation(absl::StrCat("block ", block, " belongs to two sequences"));
    }
    block_owner_[block] = slot.sequence;
    slot.blocks.push_back(block);
  }
  if (slot.blocks.size() != rows.block_table.size()) {
    return Violation("the block table changed or names a block twice");
  }
  return absl::OkStatus();
}

FakeRunner::Cell& FakeRunner::CellAt(const BatchSequence& rows, int position) {
  const size_t block = rows.block_table[position / info_.kv_block_tokens];
  return cells_[block * info_.kv_block_tokens + position % info_.kv_block_tokens];
}

absl::Status FakeRunner::HashContext(const BatchSequence& rows, const Slot& slot, uint64_t* hash) {
  *hash = slot.params.seed;
  for (int position = 0; position < slot.context; ++position) {
    const Cell& cell = CellAt(rows, position);
    if (cell.sequence != slot.sequence || cell.position != position) {
      return Violation(absl::StrCat("position ", position, " of slot ", rows.slot,
                                    " was overwritten by another"));
    }
    *hash = Mix(*hash, static_cast<uint64_t>(cell.token) + 1);
    if (cell.memories != 0) *hash = Mix(*hash, cell.memories);
  }
  return absl::OkStatus();
}

int32_t FakeRunner::Choose(const Slot& slot, uint64_t hash) const {
  const auto script = scripts.find(slot.prompt);
  if (script != scripts.end() && slot.answer.size() < script->second.size()) {
    return script->second[slot.answer.size()];
  }
  const std::vector<int32_t>& suppressed = slot.params.suppressed_until_min;
  const bool suppress = static_cast<int>(slot.answer.size()) < slot.params.min_tokens;
  int32_t token = static_cast<int32_t>(hash % info_.vocab);
  while (suppress && std::count(suppressed.begin(), suppressed.end(), token) > 0) {
    token = (token + 1) % info_.vocab;
  }
  return token;
}

void FakeRunner::Sample(Slot& slot, SequenceSlot id, uint64_t hash, StepOutput* output) const {
  SampledToken sampled{.slot = id, .token = Choose(slot, hash)};
  sampled.top_begin = static_cast<int32_t>(output->top_logprobs.size());
  if (slot.params.top_logprobs >= 0) {
    sampled.logprob = LogprobOf(hash);
    sampled.top_count = slot.params.top_logprobs;
    for (int i = 0; i < sampled.top_count; ++i) {
      hash = Mix(hash, i);
      output->top_logprobs.push_back({static_cast<int32_t>(hash % info_.vocab), LogprobOf(hash)});
    }
  }
  slot.answer.push_back(sampled.token);
  output->sampled.push_back(sampled);
}

absl::Status FakeRunner::Run(const Batch& batch, StepOutput* output) {
  if (!started_.empty()) return Violation("a step runs while others are started");
  return RunNow(batch, output);
}

absl::Status FakeRunner::StartStep(const Batch& batch) {
  if (!info_.runs_ahead) return Violation("a step is started on a runner that does not run ahead");
  if (started_.size() == kMaxStepsStarted) return Violation("too many steps are started");
  StartedStep step;
  step.status = RunNow(batch, &step.output);
  started_.push_back(std::move(step));
  most_started_ = std::max(most_started_.load(), static_cast<int>(started_.size()));
  return absl::OkStatus();
}

absl::Status FakeRunner::FinishStep(StepOutput* output) {
  if (started_.empty()) return Violation("no step was started");
  const StartedStep step = std::move(started_.front());
  started_.pop_front();
  *output = step.output;
  return step.status;
}

absl::Status FakeRunner::RunNow(const Batch& batch, StepOutput* output) {
  output->Clear();
  if (before_run) M3_RETURN_IF_ERROR(before_run(batch));
  size_t rows_of_batch = 0;
  std::set<SequenceSlot> seen;
  for (const BatchSequence& rows : batch.sequences) {
    rows_of_batch += rows.tokens.size();
    rows_run_ += static_cast<int>(rows.tokens.size());
    if (!seen.insert(rows.slot).second) return Violation("a slot twice in one batch");
    M3_RETURN_IF_ERROR(CheckRows(rows));
    Slot& slot = slots_[rows.slot];
    M3_RETURN_IF_ERROR(CheckMemories(rows));
    M3_RETURN_IF_ERROR(ClaimBlocks(rows, slot));
    for (size_t row = 0; row < rows.tokens.size(); ++row) {
      FakeMemory::RowView view = memory_.ViewOf(rows, static_cast<int>(row));
      const bool is_sampled = rows.tokens[row] == kSampledToken;
      const int32_t token = is_sampled ? slot.answer.back() : rows.tokens[row];
      CellAt(rows, slot.context) = {slot.sequence, slot.context, token, view.hash};
      ++slot.context;
      if (!rows.use_memory) continue;
      MutexLock lock(mutex_);
      memories_seen_[slot.prompt].push_back(std::move(view.ids));
    }
  }
  if (rows_of_batch > static_cast<size_t>(info_.max_batch_rows)) {
    return Violation("more rows than a batch may have");
  }
  // Only now, when every row of the batch is written, are the contexts read back.
  for (const BatchSequence& rows : batch.sequences) {
    Slot& slot = slots_[rows.slot];
    uint64_t hash = 0;
    M3_RETURN_IF_ERROR(HashContext(rows, slot, &hash));
    if (rows.sample) Sample(slot, rows.slot, hash, output);
  }
  return absl::OkStatus();
}

absl::Status FakeRunner::FillSlot(MemorySlot slot, std::shared_ptr<const MemoryTensor> memory) {
  const absl::Status filled = memory_.Fill(slot, *memory);
  MutexLock lock(mutex_);
  ++slots_filled_;
  return filled;
}

absl::Status FakeRunner::EncodeReferences(
    absl::Span<const absl::Span<const int32_t>> references,
    std::vector<std::shared_ptr<const MemoryTensor>>* memories) {
  if (before_encode) M3_RETURN_IF_ERROR(before_encode(static_cast<int>(references.size())));
  const absl::Status encoded = memory_.Encode(references, memories);
  return encoded.ok() ? encoded : Violation(std::string(encoded.message()));
}

std::vector<std::vector<MemoryId>> FakeRunner::memories_seen(
    const std::vector<int32_t>& prompt) const {
  MutexLock lock(mutex_);
  const auto found = memories_seen_.find(prompt);
  return found == memories_seen_.end() ? std::vector<std::vector<MemoryId>>() : found->second;
}

int FakeRunner::slots_filled() const {
  MutexLock lock(mutex_);
  return slots_filled_;
}

std::vector<std::string> FakeRunner::violations() const {
  MutexLock lock(mutex_);
  return violations_;
}

int FakeRunner::open_slots() const {
  MutexLock lock(mutex_);
  return open_slots_;
}

}  // namespace memory3
