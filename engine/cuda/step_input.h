// The tables of one step (kernels/step_tables.h): built from a batch in pinned memory, brought to
// the device by one copy.
//
//   input.Build(batch, rules);      // on the host, while the device may still run the step before
//   input.Upload(stream);
//   ... kernels with input.rows(), input.tiles() ...
//
// Rows are numbered anew: those that go through decode attention come first. Where a table lies
// depends on the step's sizes alone, so a graph that was captured for them stays valid. Not
// thread-safe.
#ifndef MEMORY3_ENGINE_CUDA_STEP_INPUT_H_
#define MEMORY3_ENGINE_CUDA_STEP_INPUT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/cuda/kernels/attention.h"
#include "engine/cuda/kernels/step_tables.h"
#include "engine/cuda/platform/runtime.h"
#include "engine/runner/batch.h"

namespace memory3::cuda {

struct StepLimits {
  int rows = 0;
  int sequences = 0;
  int max_blocks = 0;  // of a sequence's block table
  int block_tokens = 0;
  int memories_per_chunk = 0;
  int prefill_tile_rows = 0;
};

struct StepRules {
  int32_t memory_offset = 0;  // position of context token 0 of sequences with memory
  // By slot: tokens of the sequence's prompt. Rows from there on go through decode attention, the
  // prompt's own through prefill attention however few they are: a row's bits must not depend on
  // how the prompt was cut. Empty: all rows are a prompt's.
  absl::Span<const int32_t> prompt_tokens;
  int padded_rows = 0;   // the step has so many rows and sequences, most for padding; 0: as given
  int table_blocks = 0;  // width of the block tables; 0: as the longest sequence needs
};

// A row whose logits are needed.
struct LogitRow {
  SequenceSlot slot = 0;
  bool sample = false;      // choose the slot's next token from them
  bool return_row = false;  // copy them to StepOutput::logits
};

// What the numbers of a step determine: where each table lies.
struct StepSizes {
  int32_t rows = 0;  // padding included
  int32_t sequences = 0;
  int32_t sets = 0;
  int32_t table_blocks = 0;
  int32_t tiles = 0;
  int32_t logit_rows = 0;
  int32_t memories_per_chunk = 0;
  bool operator==(const StepSizes&) const = default;
};

// The tables in host or device memory, one block of integers.
struct StepTables {
  static StepTables At(void* begin, const StepSizes& sizes);
  int64_t bytes = 0;
  int32_t* token = nullptr;  // the first seven: as in kernels/step_tables.h
  int32_t* position = nullptr;
  int32_t* sequence = nullptr;
  int32_t* kv_token = nullptr;
  int32_t* visible = nullptr;
  int32_t* memory_set = nullptr;
  int32_t* block_tables = nullptr;  // (sequences, table_blocks)
  int32_t* set_slots = nullptr;     // (sets, memories_per_chunk)
  PrefillTile* tiles = nullptr;     // (tiles)
  int32_t* logit_row = nullptr;     // (logit_rows) the row that each is made of
  int32_t* sample_slot = nullptr;   // (logit_rows) whose next token is chosen from it; -1: none
};

class StepInput {
 public:
  static int64_t DeviceBytes(const StepLimits& limits);
  static int64_t PinnedBytes(const StepLimits& limits);
  static absl::StatusOr<StepInput> Create(const StepLimits& limits);

  // The batch is within the limits and stays valid until Build returns. Waits until an earlier
  // Upload from the same pinned memory (the one before the last) has run.
  absl::Status Build(const Batch& batch, const StepRules& rules);
  // Enqueues the copy of what was built; once per Build.
  void Upload(Stream& stream);

  // Of the step built last. Pointers are device memory.
  const StepSizes& sizes() const { return sizes_; }
  RowTables rows() const;
  template <typename T>
  void SetTables(PagedLayer<T>& layer) const {
    layer.block_tables = device_tables_.block_tables;
    layer.max_blocks = sizes_.table_blocks;
  }
  const int32_t* set_slots() const { return device_tables_.set_slots; }
  const PrefillTile* tiles() const { return device_tables_.tiles; }
  int32_t tile_count() const { return tiles_; }
  const int32_t* logit_row() const { return device_tables_.logit_row; }
  const int32_t* sample_slot() const { return device_tables_.sample_slot; }
  int32_t decode_rows() const { return decode_rows_; }        // the first rows
  int32_t decode_context() const { return decode_context_; }  // most that one of them sees
  // In batch order.
  absl::Span<const LogitRow> logit_rows() const { return logit_rows_; }
  // Whether all rows go through decode attention.
  bool all_decode() const { return decode_rows_ == rows_; }
  // First row of the batch's sequence `index`.
  int32_t first_row(int index) const { return first_row_[index]; }

  // So that a step can be built while the copy of the one before waits for the device.
  static constexpr int kStagings = 2;

 private:
  struct Staging {
    Buffer buffer;
    Event copied;
  };

  StepInput() = default;
  static bool IsDecode(const BatchSequence& sequence, const StepRules& rules);
  void Measure(const Batch& batch, const StepRules& rules);
  void AddSequence(const BatchSequence& sequence, int32_t memory_offset, int32_t index,
                   int32_t row);
  void AddSets(const BatchSequence& sequence, int32_t row);
  void AddTiles(const BatchSequence& sequence, int32_t row);
  void AddLogitRows(const BatchSequence& sequence, int32_t row);
  void AddPadding();

  StepLimits limits_;
  Buffer device_;
  std::vector<Staging> staging_;  // kStagings
  int next_ = 0;

  // Of the step built last.
  StepSizes sizes_;
  StepTables host_tables_, device_tables_;
  int32_t rows_ = 0;  // without padding
  int32_t decode_rows_ = 0;
  int32_t decode_context_ = 0;
  int32_t sets_ = 0;   // so far
  int32_t tiles_ = 0;  // so far
  std::vector<int32_t> first_row_;
  std::vector<LogitRow> logit_rows_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_STEP_INPUT_H_
