#include "tools/evaluate/greedy_batch.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace memory3 {

struct GreedyBatch::Sequence {
  const GreedyPrompt* prompt;
  SequenceSlot slot;
  RowMemories memories;
  std::vector<int32_t> answer;
  size_t done = 0;  // of prompt and answer, tokens that are in the KV cache
  bool complete = false;

  absl::Span<const int32_t> Next(int room) const {
    const size_t prompt_tokens = prompt->tokens.size();
    if (done >= prompt_tokens) return {&answer[done - prompt_tokens], 1};
    return absl::MakeConstSpan(prompt->tokens).subspan(done, room);
  }
};

GreedyBatch::GreedyBatch(Runner& runner, const Tokenizer& tokenizer, GreedyOptions options)
    : runner_(runner), tokenizer_(tokenizer), options_(std::move(options)) {
  const RunnerInfo& info = runner.info();
  const int whole = (info.max_context + info.kv_block_tokens - 1) / info.kv_block_tokens;
  blocks_each_ = std::min(whole, info.kv_blocks);
  size_ = std::min(info.max_sequences, info.kv_blocks / blocks_each_);
  blocks_.resize(info.kv_blocks);
  std::iota(blocks_.begin(), blocks_.end(), 0);
}

bool GreedyBatch::Fits(const GreedyPrompt& prompt) const {
  const RunnerInfo& info = runner_.info();
  const int64_t tokens = static_cast<int64_t>(prompt.tokens.size()) + options_.max_tokens;
  const int64_t offset = prompt.use_memory ? info.memory.position_offset : 0;
  return tokens + offset <= info.max_context &&
         tokens <= int64_t{blocks_each_} * info.kv_block_tokens;
}

absl::StatusOr<std::vector<std::optional<std::string>>> GreedyBatch::Answer(
    absl::Span<const GreedyPrompt> prompts) {
  M3_CHECK(prompts.size() <= static_cast<size_t>(size_));
  SamplingParams greedy;
  greedy.temperature = 0;
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (!Fits(prompts[i])) continue;
    sequences.push_back({&prompts[i], static_cast<SequenceSlot>(i), {0, prompts[i].memories}, {}});
    runner_.BeginSequence(sequences.back().slot, greedy, prompts[i].tokens);
  }
  const absl::Status status = Run(&sequences);
  for (const Sequence& sequence : sequences) runner_.EndSequence(sequence.slot);
  M3_RETURN_IF_ERROR(status);
  std::vector<std::optional<std::string>> answers(prompts.size());
  for (const Sequence& sequence : sequences) {
    answers[sequence.slot] = tokenizer_.Decode(sequence.answer, /*skip_special_tokens=*/true);
  }
  return answers;
}

absl::Status GreedyBatch::Run(std::vector<Sequence>* sequences) {
  const auto complete = [](const Sequence& sequence) { return sequence.complete; };
  while (!std::all_of(sequences->begin(), sequences->end(), complete)) {
    M3_RETURN_IF_ERROR(Step(sequences));
  }
  return absl::OkStatus();
}

absl::Status GreedyBatch::Step(std::vector<Sequence>* sequences) {
  Batch batch;
  std::vector<Sequence*> sampling;
  int room = runner_.info().max_batch_rows;
  for (Sequence& sequence : *sequences) {
    if (sequence.complete || room == 0) continue;
    const absl::Span<const int32_t> tokens = sequence.Next(room);
    BatchSequence& rows = batch.sequences.emplace_back();
    rows.slot = sequence.slot;
    rows.tokens = tokens;
    rows.first_position = static_cast<int32_t>(sequence.done);
    rows.block_table =
        absl::MakeConstSpan(blocks_).subspan(sequence.slot * blocks_each_, blocks_each_);
    rows.use_memory = sequence.prompt->use_memory;
    if (!sequence.memories.slots.empty()) rows.memories = {&sequence.memories, 1};
    sequence.done += tokens.size();
    rows.sample = sequence.done >= sequence.prompt->tokens.size();
    if (rows.sample) sampling.push_back(&sequence);
    room -= static_cast<int>(tokens.size());
  }
  M3_RETURN_IF_ERROR(runner_.Run(batch, &output_));
  for (size_t i = 0; i < sampling.size(); ++i) {
    sampling[i]->complete = Take(output_.sampled[i].token, sampling[i]);
  }
  return absl::OkStatus();
}

bool GreedyBatch::Take(int32_t token, Sequence* sequence) const {
  const std::vector<int32_t>& eos = options_.eos_tokens;
  if (std::find(eos.begin(), eos.end(), token) != eos.end()) return true;
  if (options_.one_line && tokenizer_.TokenBytes(token).find('\n') != std::string::npos)
    return true;
  sequence->answer.push_back(token);
  return static_cast<int>(sequence->answer.size()) == options_.max_tokens;
}

}  // namespace memory3
