#include "engine/cuda/step_input.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/kernels/embed.h"

namespace memory3::cuda {
namespace {

// The largest step: every row may begin a set and a tile, and have its logits asked for.
StepSizes WorstCase(const StepLimits& limits) {
  return {.rows = limits.rows,
          .sequences = limits.sequences,
          .sets = limits.rows,
          .table_blocks = limits.max_blocks,
          .tiles = limits.rows,
          .logit_rows = limits.rows,
          .memories_per_chunk = limits.memories_per_chunk};
}

int32_t ContextEnd(const BatchSequence& sequence) {
  return sequence.first_position + static_cast<int32_t>(sequence.tokens.size());
}

}  // namespace

StepTables StepTables::At(void* begin, const StepSizes& sizes) {
  Arena arena(begin);
  StepTables tables;
  tables.token = arena.Take<int32_t>(sizes.rows);
  tables.position = arena.Take<int32_t>(sizes.rows);
  tables.sequence = arena.Take<int32_t>(sizes.rows);
  tables.kv_token = arena.Take<int32_t>(sizes.rows);
  tables.visible = arena.Take<int32_t>(sizes.rows);
  tables.memory_set = arena.Take<int32_t>(sizes.rows);
  tables.block_tables = arena.Take<int32_t>(int64_t{sizes.sequences} * sizes.table_blocks);
  tables.set_slots = arena.Take<int32_t>(int64_t{sizes.sets} * sizes.memories_per_chunk);
  tables.tiles = arena.Take<PrefillTile>(sizes.tiles);
  tables.logit_row = arena.Take<int32_t>(sizes.logit_rows);
  tables.sample_slot = arena.Take<int32_t>(sizes.logit_rows);
  tables.bytes = arena.used();
  return tables;
}

int64_t StepInput::DeviceBytes(const StepLimits& limits) {
  return StepTables::At(nullptr, WorstCase(limits)).bytes;
}

int64_t StepInput::PinnedBytes(const StepLimits& limits) { return kStagings * DeviceBytes(limits); }

absl::StatusOr<StepInput> StepInput::Create(const StepLimits& limits) {
  StepInput input;
  input.limits_ = limits;
  const int64_t bytes = DeviceBytes(limits);
  M3_ASSIGN_OR_RETURN(input.device_, Buffer::Allocate(Buffer::Kind::kDevice, bytes));
  for (int i = 0; i < kStagings; ++i) {
    M3_ASSIGN_OR_RETURN(Buffer buffer, Buffer::Allocate(Buffer::Kind::kPinned, bytes));
    M3_ASSIGN_OR_RETURN(Event copied, Event::Create());
    input.staging_.push_back({std::move(buffer), std::move(copied)});
  }
  input.first_row_.reserve(limits.sequences);
  input.logit_rows_.reserve(limits.rows);
  return input;
}

absl::Status StepInput::Build(const Batch& batch, const StepRules& rules) {
  next_ = (next_ + 1) % kStagings;
  M3_RETURN_IF_ERROR(staging_[next_].copied.Synchronize());
  Measure(batch, rules);
  host_tables_ = StepTables::At(staging_[next_].buffer.data(), sizes_);
  device_tables_ = StepTables::At(device_.data(), sizes_);
  sets_ = tiles_ = 0;
  logit_rows_.clear();
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    AddSequence(batch.sequences[i], rules.memory_offset, static_cast<int32_t>(i), first_row_[i]);
  }
  AddPadding();
  return absl::OkStatus();
}

bool StepInput::IsDecode(const BatchSequence& sequence, const StepRules& rules) {
  return !rules.prompt_tokens.empty() &&
         sequence.first_position >= rules.prompt_tokens[sequence.slot];
}

// Numbers the rows and counts what there will be.
void StepInput::Measure(const Batch& batch, const StepRules& rules) {
  sizes_ = {.memories_per_chunk = limits_.memories_per_chunk};
  sizes_.sequences = static_cast<int32_t>(batch.sequences.size());
  decode_rows_ = decode_context_ = 0;
  int32_t blocks = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    const auto rows = static_cast<int32_t>(sequence.tokens.size());
    const int32_t end = ContextEnd(sequence);
    sizes_.rows += rows;
    blocks = std::max(blocks, (end + limits_.block_tokens - 1) / limits_.block_tokens);
    if (sequence.use_memory) {
      sizes_.sets += std::max<int32_t>(1, static_cast<int32_t>(sequence.memories.size()));
    }
    const bool last_is_there =
        !sequence.logit_rows.empty() && sequence.logit_rows.back() == rows - 1;
    sizes_.logit_rows += static_cast<int32_t>(sequence.logit_rows.size()) +
                         (sequence.sample && !last_is_there ? 1 : 0);
    if (IsDecode(sequence, rules)) {
      decode_rows_ += rows;
      decode_context_ = std::max(decode_context_, end);
    }
  }
  first_row_.clear();
  int32_t next_decode = 0, next_prompt = decode_rows_;
  for (const BatchSequence& sequence : batch.sequences) {
    const bool decode = IsDecode(sequence, rules);
    int32_t& next = decode ? next_decode : next_prompt;
    first_row_.push_back(next);
    next += static_cast<int32_t>(sequence.tokens.size());
    if (decode) continue;
    // Tiles begin at every set, and then after every prefill_tile_rows.
    sizes_.tiles += static_cast<int32_t>(sequence.tokens.size()) / limits_.prefill_tile_rows + 1 +
                    static_cast<int32_t>(sequence.memories.size());
  }
  sizes_.tiles = std::min(sizes_.tiles, sizes_.rows);
  sizes_.table_blocks = rules.table_blocks > 0 ? rules.table_blocks : blocks;
  rows_ = sizes_.rows;
  if (rules.padded_rows > 0) {
    M3_CHECK(rows_ == decode_rows_ && rows_ <= rules.padded_rows);
    sizes_.rows = sizes_.sequences = sizes_.sets = sizes_.logit_rows = rules.padded_rows;
  }
  M3_CHECK(sizes_.rows <= limits_.rows && sizes_.sequences <= limits_.sequences &&
           blocks <= sizes_.table_blocks && sizes_.table_blocks <= limits_.max_blocks);
}

void StepInput::AddSequence(const BatchSequence& sequence, int32_t memory_offset, int32_t index,
                            int32_t row) {
  const StepTables& tables = host_tables_;
  const int32_t block_tokens = limits_.block_tokens;
  const int32_t blocks = (ContextEnd(sequence) + block_tokens - 1) / block_tokens;
  std::copy_n(sequence.block_table.begin(), blocks,
              tables.block_tables + int64_t{index} * sizes_.table_blocks);
  const int32_t offset = sequence.use_memory ? memory_offset : 0;
  for (size_t i = 0; i < sequence.tokens.size(); ++i) {
    const int32_t place = sequence.first_position + static_cast<int32_t>(i);
    const int64_t at = row + static_cast<int64_t>(i);
    tables.token[at] =
        sequence.tokens[i] == kSampledToken ? SampledTokenAt(sequence.slot) : sequence.tokens[i];
    tables.position[at] = offset + place;
    tables.sequence[at] = index;
    tables.kv_token[at] =
        sequence.block_table[place / block_tokens] * block_tokens + place % block_tokens;
    tables.visible[at] = place + 1;
  }
  AddSets(sequence, row);
  if (row >= decode_rows_) AddTiles(sequence, row);
  AddLogitRows(sequence, row);
}

void StepInput::AddSets(const BatchSequence& sequence, int32_t row) {
  const auto rows = static_cast<int32_t>(sequence.tokens.size());
  int32_t* const memory_set = host_tables_.memory_set + row;
  if (!sequence.use_memory) {
    std::fill_n(memory_set, rows, -1);
    return;
  }
  const auto add = [&](absl::Span<const MemorySlot> slots, int32_t first, int32_t end) {
    int32_t* to = host_tables_.set_slots + int64_t{sets_} * sizes_.memories_per_chunk;
    int32_t* const filled = std::copy(slots.begin(), slots.end(), to);
    std::fill(filled, to + sizes_.memories_per_chunk, -1);
    std::fill(memory_set + first, memory_set + end, sets_);
    ++sets_;
  };
  if (sequence.memories.empty()) add({}, 0, rows);
  for (size_t i = 0; i < sequence.memories.size(); ++i) {
    const bool last = i + 1 == sequence.memories.size();
    add(sequence.memories[i].slots, sequence.memories[i].first_row,
        last ? rows : sequence.memories[i + 1].first_row);
  }
}

void StepInput::AddTiles(const BatchSequence& sequence, int32_t row) {
  const auto rows = static_cast<int32_t>(sequence.tokens.size());
  const int32_t* const memory_set = host_tables_.memory_set + row;
  for (int32_t first = 0; first < rows;) {
    int32_t end = first + 1;
    while (end < rows && end - first < limits_.prefill_tile_rows &&
           memory_set[end] == memory_set[first]) {
      ++end;
    }
    M3_CHECK(tiles_ < sizes_.tiles);
    host_tables_.tiles[tiles_++] = {row + first, end - first};
    first = end;
  }
}

void StepInput::AddLogitRows(const BatchSequence& sequence, int32_t row) {
  const auto add = [&](int32_t index, bool return_row) {
    host_tables_.logit_row[logit_rows_.size()] = row + index;
    host_tables_.sample_slot[logit_rows_.size()] = -1;
    logit_rows_.push_back({sequence.slot, false, return_row});
  };
  for (const int32_t index : sequence.logit_rows) add(index, true);
  if (!sequence.sample) return;
  const auto last = static_cast<int32_t>(sequence.tokens.size()) - 1;
  if (sequence.logit_rows.empty() || sequence.logit_rows.back() != last) add(last, false);
  host_tables_.sample_slot[logit_rows_.size() - 1] = sequence.slot;
  logit_rows_.back().sample = true;
}

// Kernels leave rows without a sequence alone.
void StepInput::AddPadding() {
  const StepTables& tables = host_tables_;
  for (int32_t row = rows_; row < sizes_.rows; ++row) {
    tables.token[row] = tables.position[row] = tables.kv_token[row] = tables.visible[row] = 0;
    tables.sequence[row] = tables.memory_set[row] = -1;
  }
  for (auto i = static_cast<int32_t>(logit_rows_.size()); i < sizes_.logit_rows; ++i) {
    tables.logit_row[i] = 0;
    tables.sample_slot[i] = -1;
  }
}

void StepInput::Upload(Stream& stream) {
  Staging& staging = staging_[next_];
  stream.CopyToDevice(device_.data(), staging.buffer.data(), host_tables_.bytes);
  staging.copied.Record(stream);
}

RowTables StepInput::rows() const {
  return {.token = device_tables_.token,
          .position = device_tables_.position,
          .sequence = device_tables_.sequence,
          .kv_token = device_tables_.kv_token,
          .visible = device_tables_.visible,
          .memory_set = device_tables_.memory_set};
}

}  // namespace memory3::cuda
