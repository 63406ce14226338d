#include "tools/parity_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

constexpr SequenceSlot kSlot = 0;
// Rows per prompt piece. No multiple of anything, so that the cuts fall inside blocks and tiles.
constexpr int kPieceRows = 37;

absl::Status CheckFits(const ParityCase& parity, const RunnerInfo& info) {
  const int64_t tokens = parity.prompt.size() + parity.greedy_ids.size();
  const int64_t room =
      std::min<int64_t>(info.max_context, int64_t{info.kv_blocks} * info.kv_block_tokens);
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
    Batch batch;
    BatchSequence& sequence = batch.sequences.emplace_back();
    sequence.slot = kSlot;
    sequence.tokens = tokens;
    sequence.first_position = position_;
    sequence.block_table = blocks_;
    sequence.sample = sample;
    sequence.logit_rows = logit_rows;
    position_ += static_cast<int32_t>(tokens.size());
    return runner_.Run(batch, &output_);
  }

  const ParityCase& parity_;
  Runner& runner_;
  std::vector<KvBlockId> blocks_;
  int32_t position_ = 0;
  StepOutput output_;
};

}  // namespace

absl::StatusOr<ParityResult> RunParityCase(const ParityCase& parity, Runner& runner) {
  M3_RETURN_IF_ERROR(CheckFits(parity, runner.info()));
  ParityResult result;
  ParitySequence sequence(parity, runner);
  M3_RETURN_IF_ERROR(sequence.RunPrompt(&result));
  M3_RETURN_IF_ERROR(sequence.Continue(&result));
  const auto difference =
      std::mismatch(result.greedy_ids.begin(), result.greedy_ids.end(), parity.greedy_ids.begin());
  result.equal_greedy_ids = static_cast<int>(difference.first - result.greedy_ids.begin());
  return result;
}

}  // namespace memory3
