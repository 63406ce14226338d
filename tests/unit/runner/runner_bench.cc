#include "tests/unit/runner/runner_bench.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <utility>

#include "engine/base/check.h"

namespace memory3 {
RunnerBench::RunnerBench(std::unique_ptr<Runner> runner, uint32_t block_seed)
    : vocab_(runner->info().vocab),
      runner_(std::move(runner)),
      tables_(kSequences),
      all_rows_(kTokens),
      sets_(kSequences),
      logits_(int64_t{kSequences} * kTokens * vocab_) {
  std::mt19937 token_random(5);
  for (int s = 0; s < kSequences; ++s) {
    std::vector<int32_t>& tokens = tokens_.emplace_back(kTokens);
    for (int32_t& token : tokens) token = static_cast<int32_t>(token_random() % vocab_);
    SamplingParams params;
    params.seed = s;
    params.top_logprobs = 3;
    params.repetition_penalty = 1.1f;
    runner_->BeginSequence(s, params, tokens);
  }
  std::iota(all_rows_.begin(), all_rows_.end(), 0);
  std::vector<KvBlockId> blocks(runner_->info().kv_blocks);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(block_seed));
  const int per_sequence =
      (kTokens + runner_->info().kv_block_tokens - 1) / runner_->info().kv_block_tokens;
  M3_CHECK(static_cast<int>(blocks.size()) >= kSequences * per_sequence);
  for (int i = 0; i < kSequences * per_sequence; ++i) tables_[i % kSequences].push_back(blocks[i]);
}

void RunnerBench::UseMemory(int sequence, std::vector<std::vector<MemorySlot>> sets) {
  M3_CHECK(static_cast<int>(sets.size()) * runner_->info().memory.chunk_tokens >= kTokens);
  sets_[sequence] = std::move(sets);
}

std::vector<RowMemories> RunnerBench::MemoriesOf(const RunnerPiece& piece) const {
  std::vector<RowMemories> memories;
  if (sets_[piece.sequence].empty()) return memories;
  const int chunk_tokens = runner_->info().memory.chunk_tokens;
  for (int row = 0; row < piece.count; ++row) {
    const int position = piece.first + row;
    if (row > 0 && position % chunk_tokens != 0) continue;
    memories.push_back({row, sets_[piece.sequence][position / chunk_tokens]});
  }
  return memories;
}

void RunnerBench::Step(const std::vector<RunnerPiece>& pieces) {
  Batch batch;
  std::vector<std::vector<RowMemories>> memories;
  for (const RunnerPiece& piece : pieces) memories.push_back(MemoriesOf(piece));
  for (const RunnerPiece& piece : pieces) {
    BatchSequence& sequence = batch.sequences.emplace_back();
    sequence.slot = piece.sequence;
    sequence.tokens =
        absl::MakeConstSpan(tokens_[piece.sequence]).subspan(piece.first, piece.count);
    sequence.first_position = piece.first;
    sequence.block_table = tables_[piece.sequence];
    sequence.sample = true;
    sequence.logit_rows = absl::MakeConstSpan(all_rows_).first(piece.count);
    sequence.use_memory = !sets_[piece.sequence].empty();
    sequence.memories = memories[batch.sequences.size() - 1];
  }
  const absl::Status status = runner_->Run(batch, &output_);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  M3_CHECK(status.ok());
  const float* row = output_.logits.data();
  for (const RunnerPiece& piece : pieces) {
    const int64_t floats = int64_t{piece.count} * vocab_;
    std::copy_n(row, floats,
                logits_.data() + (int64_t{piece.sequence} * kTokens + piece.first) * vocab_);
    row += floats;
  }
}

}  // namespace memory3
