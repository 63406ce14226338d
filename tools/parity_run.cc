#include "tools/parity_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/base/bfloat16.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

constexpr SequenceSlot kSlot = 0;
// Rows per prompt piece. No multiple of anything, so that the cuts fall inside blocks and tiles.
constexpr int kPieceRows = 37;

absl::Status CheckFits(const ParityCase& parity, const RunnerInfo& info) {
  const int64_t tokens = parity.prompt.size() + parity.greedy_ids.size();
  const int offset = parity.memory_enabled ? info.memory.position_offset : 0;
  const int64_t room =
      std::min<int64_t>(info.max_context - offset, int64_t{info.kv_blocks} * info.kv_block_tokens);
  if (tokens > room) {
    return absl::InvalidArgumentError(
        absl::StrCat("the case has ", tokens, " tokens, the context holds ", room));
  }
  for (const ReferenceRow& row : parity.rows) {
    for (const ListedLogit& logit : row.logits) {
      if (logit.token >= 0 && logit.token < info.vocab) continue;
      return absl::InvalidArgumentError(absl::StrCat("row ", row.row, " lists token ", logit.token,
                                                     ", the vocabulary has ", info.vocab));
    }
  }
  return absl::OkStatus();
}

double RelativeError(const ReferenceRow& reference, const float* logits) {
  double difference = 0, largest = 0;
  for (const ListedLogit& listed : reference.logits) {
    const double got = logits[listed.token];
    if (std::isnan(got)) return std::numeric_limits<double>::quiet_NaN();
    difference = std::max(difference, std::abs(got - listed.value));
    largest = std::max(largest, std::abs(listed.value));
  }
  return difference / largest;
}

// Element `index` of a memory's tensor.
double Element(const MemoryTensor& memory, int64_t index) {
  if (memory.shape.dtype == DType::kF32) {
    return reinterpret_cast<const float*>(memory.bytes.data())[index];
  }
  return FromBfloat16(reinterpret_cast<const uint16_t*>(memory.bytes.data())[index]);
}

// Of the vector at `begin` of the tensor against the listed one.
double RelativeError(const MemoryTensor& memory, int64_t begin, const std::vector<double>& listed) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < listed.size(); ++i) {
    const double got = Element(memory, begin + static_cast<int64_t>(i));
    if (std::isnan(got)) return std::numeric_limits<double>::quiet_NaN();
    difference = std::max(difference, std::abs(got - listed[i]));
    largest = std::max(largest, std::abs(listed[i]));
  }
  return difference / largest;
}

bool IsTie(const ReferenceMemory& reference, int model_layer, absl::Span<const int32_t> kept,
           absl::Span<const int32_t> listed) {
  if (model_layer != 0 || kept.size() != listed.size()) return false;
  std::vector<int32_t> ours, theirs;
  for (const int32_t place : kept) ours.push_back(reference.tokens[place]);
  for (const int32_t place : listed) theirs.push_back(reference.tokens[place]);
  std::sort(ours.begin(), ours.end());
  std::sort(theirs.begin(), theirs.end());
  return ours == theirs;
}

absl::Span<const int32_t> KeptOf(const MemoryTensor& memory, int layer, int head) {
  return absl::MakeConstSpan(memory.kept)
      .subspan((int64_t{layer} * memory.shape.kv_heads + head) * memory.tokens, memory.tokens);
}

// The memory the case would have: its tokens, with keys and values of a memory that kept all.
std::shared_ptr<const MemoryTensor> WithTokensOf(const ReferenceMemory& reference,
                                                 const MemoryTensor& all,
                                                 const MemoryTensor& like) {
  std::shared_ptr<MemoryTensor> memory = NewMemoryTensor(like.shape);
  memory->tokens = like.tokens;
  const int64_t head_bytes = int64_t{like.shape.head_dim} * SizeOf(like.shape.dtype);
  for (int part = 0; part < like.shape.layers * 2 * like.shape.kv_heads; ++part) {
    const int layer = part / (2 * like.shape.kv_heads), head = part % like.shape.kv_heads;
    for (int i = 0; i < like.tokens; ++i) {
      const int64_t from =
          int64_t{part} * all.shape.kept_tokens + reference.layers[layer].kept[head][i];
      const int64_t to = int64_t{part} * like.shape.kept_tokens + i;
      std::copy_n(all.bytes.data() + from * head_bytes, head_bytes,
                  memory->bytes.data() + to * head_bytes);
    }
  }
  return memory;
}

MemoryError CompareMemory(int index, const ReferenceMemory& reference,
                          const std::vector<int>& model_layers, const MemoryTensor& memory) {
  MemoryError error = {index, 0, 0, 0, 0};
  const MemoryShape& shape = memory.shape;
  for (int layer = 0; layer < shape.layers; ++layer) {
    const ReferenceLayer& listed = reference.layers[layer];
    for (int head = 0; head < shape.kv_heads; ++head) {
      const absl::Span<const int32_t> kept = KeptOf(memory, layer, head);
      const absl::Span<const int32_t> expected = listed.kept[head];
      if (kept == expected) continue;
      ++(IsTie(reference, model_layers[layer], kept, expected) ? error.ties
                                                               : error.heads_with_other_tokens);
    }
    // A head that kept another token first has another vector there: that is reported above.
    if (KeptOf(memory, layer, 0)[0] != listed.kept[0][0]) continue;
    const int64_t keys = layer * shape.layer_elements();
    error.key_error = std::max(error.key_error, RelativeError(memory, keys, listed.first_key));
    error.value_error =
        std::max(error.value_error,
                 RelativeError(memory, keys + shape.layer_elements() / 2, listed.first_value));
  }
  return error;
}

absl::StatusOr<std::vector<std::shared_ptr<const MemoryTensor>>> Encode(const ParityCase& parity,
                                                                        Runner& runner) {
  std::vector<std::shared_ptr<const MemoryTensor>> memories, encoded;
  const size_t at_once = runner.info().memory.max_references_per_encode;
  for (size_t begin = 0; begin < parity.references.size(); begin += at_once) {
    std::vector<absl::Span<const int32_t>> batch;
    for (size_t i = begin; i < std::min(begin + at_once, parity.references.size()); ++i) {
      batch.push_back(parity.references[i].tokens);
    }
    M3_RETURN_IF_ERROR(runner.EncodeReferences(batch, &encoded));
    memories.insert(memories.end(), encoded.begin(), encoded.end());
  }
  return memories;
}

// Encodes the case's references into the runner's slots of the same numbers.
absl::Status WriteMemories(const ParityCase& parity, Runner& runner, bool attach_listed,
                           absl::FunctionRef<absl::StatusOr<std::unique_ptr<Runner>>()> keep_all,
                           ParityResult* result) {
  M3_ASSIGN_OR_RETURN(std::vector<std::shared_ptr<const MemoryTensor>> memories,
                      Encode(parity, runner));
  const auto attaches_listed = [&](const MemoryError& error) {
    if (error.heads_with_other_tokens > 0) return attach_listed;
    return error.ties > 0;
  };
  bool any = false;
  for (size_t i = 0; i < memories.size(); ++i) {
    result->memories.push_back(CompareMemory(static_cast<int>(i), parity.references[i],
                                             parity.memory_layers, *memories[i]));
    any |= attaches_listed(result->memories.back());
  }
  if (any) {
    M3_ASSIGN_OR_RETURN(const std::unique_ptr<Runner> dense, keep_all());
    M3_ASSIGN_OR_RETURN(const auto all, Encode(parity, *dense));
    for (size_t i = 0; i < memories.size(); ++i) {
      if (!attaches_listed(result->memories[i])) continue;
      memories[i] = WithTokensOf(parity.references[i], *all[i], *memories[i]);
    }
  }
  for (size_t i = 0; i < memories.size(); ++i) {
    M3_RETURN_IF_ERROR(runner.FillSlot(static_cast<MemorySlot>(i), memories[i]));
  }
  return absl::OkStatus();
}

bool Fits(const ReferenceLayer& layer, const MemoryShape& shape, size_t tokens) {
  if (layer.kept.size() != static_cast<size_t>(shape.kv_heads) ||
      layer.first_key.size() != static_cast<size_t>(shape.head_dim) ||
      layer.first_value.size() != static_cast<size_t>(shape.head_dim)) {
    return false;
  }
  for (const std::vector<int32_t>& kept : layer.kept) {
    if (kept.size() != std::min<size_t>(shape.kept_tokens, tokens)) return false;
    for (const int32_t place : kept) {
      if (place < 0 || static_cast<size_t>(place) >= tokens) return false;
    }
  }
  return true;
}

// The case's numbers of layers, heads and tokens are those the runner makes.
absl::Status CheckReferences(const ParityCase& parity, const RunnerInfo& info) {
  const MemoryShape& shape = info.memory.shape;
  for (size_t i = 0; i < parity.references.size(); ++i) {
    const ReferenceMemory& reference = parity.references[i];
    const size_t tokens = reference.tokens.size();
    bool fits = tokens > 0 && reference.layers.size() == static_cast<size_t>(shape.layers);
    for (const ReferenceLayer& layer : reference.layers) fits &= Fits(layer, shape, tokens);
    if (fits) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("reference ", i, " of the case is no memory of ", Describe(shape)));
  }
  return absl::OkStatus();
}

// One sequence on a runner; slot and blocks are the first ones.
class ParitySequence {
 public:
  ParitySequence(const ParityCase& parity, Runner& runner)
      : parity_(parity), runner_(runner), blocks_(runner.info().kv_blocks) {
    std::iota(blocks_.begin(), blocks_.end(), 0);
    SamplingParams greedy;
    greedy.temperature = 0;
    runner_.BeginSequence(kSlot, greedy, parity.prompt);
  }
  ~ParitySequence() { runner_.EndSequence(kSlot); }
  ParitySequence(const ParitySequence&) = delete;
  ParitySequence& operator=(const ParitySequence&) = delete;

  absl::Status RunPrompt(ParityResult* result) {
    const int prompt = static_cast<int>(parity_.prompt.size());
    const int piece = std::min(kPieceRows, runner_.info().max_batch_rows);
    for (int begin = 0; begin < prompt; begin += piece) {
      const int end = std::min(begin + piece, prompt);
      const auto wanted = [&](const ReferenceRow& row) {
        return row.row >= begin && row.row < end;
      };
      std::vector<int32_t> logit_rows;
      for (const ReferenceRow& row : parity_.rows) {
        if (wanted(row)) logit_rows.push_back(row.row - begin);
      }
      const bool last = end == prompt && !parity_.greedy_ids.empty();
      M3_RETURN_IF_ERROR(
          Step(absl::MakeConstSpan(parity_.prompt).subspan(begin, end - begin), logit_rows, last));
      const float* logits = output_.logits.data();
      for (const ReferenceRow& row : parity_.rows) {
        if (!wanted(row)) continue;
        result->rows.push_back({row.row, RelativeError(row, logits)});
        logits += runner_.info().vocab;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Continue(ParityResult* result) {
    while (result->greedy_ids.size() < parity_.greedy_ids.size()) {
      if (!result->greedy_ids.empty()) {
        M3_RETURN_IF_ERROR(Step({&result->greedy_ids.back(), 1}, {}, true));
      }
      result->greedy_ids.push_back(output_.sampled[0].token);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Step(absl::Span<const int32_t> tokens, absl::Span<const int32_t> logit_rows,
                    bool sample) {
    std::vector<RowMemories> memories;
    if (parity_.memory_enabled) memories = MemoriesOf(static_cast<int>(tokens.size()));
    Batch batch;
    BatchSequence& sequence = batch.sequences.emplace_back();
    sequence.slot = kSlot;
    sequence.tokens = tokens;
    sequence.first_position = position_;
    sequence.block_table = blocks_;
    sequence.sample = sample;
    sequence.use_memory = parity_.memory_enabled;
    sequence.memories = memories;
    sequence.logit_rows = logit_rows;
    M3_RETURN_IF_ERROR(runner_.Run(batch, &output_));
    position_ += static_cast<int32_t>(tokens.size());
    return absl::OkStatus();
  }

  // Prompt chunks, then generated ones, the first of which continues the last prompt chunk.
  int ChunkOf(int token) const {
    const int prompt = static_cast<int>(parity_.prompt.size());
    if (token < prompt) return token / parity_.chunk_tokens;
    return (prompt - 1) / parity_.chunk_tokens + (token - prompt) / parity_.chunk_tokens;
  }

  std::vector<RowMemories> MemoriesOf(int rows) const {
    std::vector<RowMemories> memories;
    for (int row = 0; row < rows; ++row) {
      const int chunk = ChunkOf(position_ + row);
      if (row > 0 && chunk == ChunkOf(position_ + row - 1)) continue;
      memories.push_back({row, {}});
      if (chunk < static_cast<int>(parity_.memory_sets.size())) {
        memories.back().slots = parity_.memory_sets[chunk];
      }
    }
    return memories;
  }

  const ParityCase& parity_;
  Runner& runner_;
  std::vector<KvBlockId> blocks_;
  int32_t position_ = 0;
  StepOutput output_;
};

}  // namespace

absl::StatusOr<ParityResult> RunParityCase(
    const ParityCase& parity, Runner& runner, bool attach_listed,
    absl::FunctionRef<absl::StatusOr<std::unique_ptr<Runner>>()> keep_all) {
  M3_RETURN_IF_ERROR(CheckFits(parity, runner.info()));
  ParityResult result;
  if (parity.memory_enabled) {
    M3_RETURN_IF_ERROR(CheckReferences(parity, runner.info()));
    M3_RETURN_IF_ERROR(WriteMemories(parity, runner, attach_listed, keep_all, &result));
  }
  ParitySequence sequence(parity, runner);
  M3_RETURN_IF_ERROR(sequence.RunPrompt(&result));
  M3_RETURN_IF_ERROR(sequence.Continue(&result));
  const auto difference =
      std::mismatch(result.greedy_ids.begin(), result.greedy_ids.end(), parity.greedy_ids.begin());
  result.equal_greedy_ids = static_cast<int>(difference.first - result.greedy_ids.begin());
  return result;
}

}  // namespace memory3
