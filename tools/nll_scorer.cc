#include "tools/nll_scorer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

constexpr SequenceSlot kSlot = 0;

// -log softmax(logits)[token], summed in double: a vocabulary has many small terms.
double Nll(absl::Span<const float> logits, int32_t token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[token];
}

}  // namespace

NllScorer::NllScorer(Runner& runner) : runner_(runner), blocks_(runner.info().kv_blocks) {
  std::iota(blocks_.begin(), blocks_.end(), 0);
}

absl::StatusOr<double> NllScorer::Score(const Text& text) {
  const RunnerInfo& info = runner_.info();
  const int64_t offset = text.use_memory ? info.memory.position_offset : 0;
  const int64_t room =
      std::min<int64_t>(info.max_context - offset, int64_t{info.kv_blocks} * info.kv_block_tokens);
  const auto tokens = static_cast<int64_t>(text.tokens.size());
  if (tokens > room) {
    return absl::InvalidArgumentError(absl::StrCat("a text of ", tokens, " tokens exceeds the ",
                                                   room, " that there is room for"));
  }
  if (text.first_scored < 1 || text.first_scored >= tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("first_scored must be in [1, ", tokens, "), got ", text.first_scored));
  }
  runner_.BeginSequence(kSlot, {}, text.tokens);
  absl::StatusOr<double> score = ScoreOpened(text);
  runner_.EndSequence(kSlot);
  return score;
}

absl::StatusOr<double> NllScorer::ScoreOpened(const Text& text) {
  const int vocab = runner_.info().vocab;
  // The last token is predicted, but predicts nothing that counts.
  const int inputs = static_cast<int>(text.tokens.size()) - 1;
  double sum = 0;
  for (int begin = 0; begin < inputs; begin += runner_.info().max_batch_rows) {
    const int end = std::min(begin + runner_.info().max_batch_rows, inputs);
    std::vector<int32_t> rows;
    for (int row = std::max(begin, text.first_scored - 1); row < end; ++row) {
      rows.push_back(row - begin);
    }
    const RowMemories memories = {0, text.memories};
    Batch batch;
    batch.sequences.push_back({.slot = kSlot,
                               .tokens = text.tokens.subspan(begin, end - begin),
                               .first_position = begin,
                               .block_table = blocks_,
                               .use_memory = text.use_memory,
                               .logit_rows = rows});
    if (!text.memories.empty()) batch.sequences.back().memories = {&memories, 1};
    M3_RETURN_IF_ERROR(runner_.Run(batch, &output_));
    for (size_t i = 0; i < rows.size(); ++i) {
      sum += Nll(absl::MakeConstSpan(output_.logits).subspan(i * vocab, vocab),
                 text.tokens[begin + rows[i] + 1]);
    }
  }
  return sum / (inputs + 1 - text.first_scored);
}

}  // namespace memory3
