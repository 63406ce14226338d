// One block per row. A row without options takes one pass over its logits when greedy, three when
// drawn; every option adds one or two. The logits lie in L2, where the last product left them.
#include <cmath>

#include "engine/cuda/kernels/sampling.h"
#include "engine/cuda/kernels/sampling_block.h"
#include "engine/cuda/kernels/sampling_boundary.h"
#include "engine/cuda/platform/launch.h"
#include "engine/sampling/philox.h"

namespace memory3::cuda {
namespace {

constexpr int kMarkThreads = 256;

// One row of the launch.
struct SampledRow {
  SlotRules rules;
  const TokenBias* bias;  // (rules.bias_count)
  const uint32_t* marks;  // (vocab)
  const float* logits;    // (vocab)
  float* work;            // (vocab)
  int32_t vocab;
};

M3_DEVICE bool Penalises(const SlotRules& rules) {
  return rules.repetition_penalty != 1 || rules.presence_penalty != 0 ||
         rules.frequency_penalty != 0;
}

M3_DEVICE bool AdjustsScores(const SlotRules& rules) {
  return rules.bias_count > 0 || Penalises(rules) || rules.generated < rules.min_tokens;
}

M3_DEVICE float Adjusted(const SlotRules& rules, uint32_t mark, float score) {
  const bool seen = (mark & (kMarkInPrompt | kMarkCount)) != 0;
  if (seen && Penalises(rules)) {
    score = score > 0 ? score / rules.repetition_penalty : score * rules.repetition_penalty;
    score = fminf(score, LargestFloat());
    const auto count = static_cast<float>(mark & kMarkCount);
    if (count > 0) {
      score -= __fadd_rn(rules.presence_penalty, __fmul_rn(count, rules.frequency_penalty));
    }
  }
  const bool suppressed = rules.generated < rules.min_tokens && (mark & kMarkSuppressed) != 0;
  return suppressed ? MinusInfinity() : score;
}

// The row's scores after bias, penalties and suppression.
M3_DEVICE const float* AdjustedScores(const SampledRow& row) {
  if (!AdjustsScores(row.rules)) return row.logits;
  ForTokens(row.logits, row.vocab, [&](int32_t token, float score) {
    row.work[token] = Adjusted(row.rules, row.marks[token], score);
  });
  __syncthreads();
  for (auto i = static_cast<int32_t>(threadIdx.x); i < row.rules.bias_count;
       i += kSamplingThreads) {
    const TokenBias bias = row.bias[i];
    const float score = Finite(row.logits[bias.token]) + bias.bias;
    row.work[bias.token] = Adjusted(row.rules, row.marks[bias.token], score);
  }
  __syncthreads();
  return row.work;
}

M3_DEVICE Rank FindBest(const float* scores, int32_t vocab, SamplingScratch& scratch) {
  Rank best = 0;
  ForTokens(scores, vocab, [&](int32_t token, float score) {
    const Rank rank = RankOf(score, token);
    best = rank > best ? rank : best;
  });
  return BlockLargest(best, scratch);
}

// The worst of the `count` best; `best` is the largest score.
M3_DEVICE Rank WorstOfBest(const float* scores, int32_t vocab, int32_t count, float best,
                           SamplingScratch& scratch) {
  return FindBoundary(
      scores, vocab, static_cast<Amount>(count - 1), scratch, [](float score) { return Amount{1}; },
      [best](float score) { return BinOfDistance(best, score); });
}

M3_DEVICE Rank WorstOfNucleus(const float* weights, int32_t vocab, float top_p, Amount total,
                              SamplingScratch& scratch) {
  const double mass = ceil(static_cast<double>(top_p) * static_cast<double>(total));
  Amount target = mass < 1 ? 0 : static_cast<Amount>(mass) - 1;
  if (target >= total) target = total - 1;
  return FindBoundary(
      weights, vocab, target, scratch, [](float weight) { return FixedPoint(weight); },
      [](float weight) { return BinOfWeight(weight); });
}

M3_DEVICE int32_t Draw(const SampledRow& row, const float* scores, float best,
                       SamplingScratch& scratch) {
  const SlotRules& rules = row.rules;
  Rank worst_kept = 0;
  if (rules.top_k > 0 && rules.top_k < row.vocab) {
    worst_kept = WorstOfBest(scores, row.vocab, rules.top_k, best, scratch);
  }
  float* weights = row.work;
  Amount total = SumSegments(scores, row.vocab, scratch, [&](int32_t token, float score) {
    const bool kept = RankOf(score, token) >= worst_kept;
    const float weight = kept ? ExpOfNonPositive((score - best) / rules.temperature) : 0.0f;
    weights[token] = weight;
    return FixedPoint(weight);
  });
  Rank worst_drawn = 0;
  if (rules.top_p < 1) {
    worst_drawn = WorstOfNucleus(weights, row.vocab, rules.top_p, total, scratch);
  }
  // The best weight is 1, so min_p compares directly.
  const float least = rules.min_p;
  const auto drawn = [=](int32_t token, float weight) {
    const bool kept = weight >= least && RankOf(weight, token) >= worst_drawn;
    return kept ? FixedPoint(weight) : Amount{0};
  };
  if (rules.top_p < 1 || rules.min_p > 0) {
    total = SumSegments(weights, row.vocab, scratch, drawn);
  }
  const double uniform = CounterUniform(rules.seed, static_cast<uint64_t>(rules.generated));
  auto target = static_cast<Amount>(static_cast<double>(total) * uniform);
  if (target >= total) target = total - 1;
  return FindToken(weights, row.vocab, target, scratch, drawn);
}

M3_DEVICE int32_t Choose(const SampledRow& row, SamplingScratch& scratch) {
  const float* scores = AdjustedScores(row);
  const Rank best = FindBest(scores, row.vocab, scratch);
  const float best_score = ScoreOfRank(best);
  // Nothing is left to choose from: the rank's token is 0.
  if (row.rules.temperature == 0 || best_score == MinusInfinity()) return TokenOfRank(best);
  return Draw(row, scores, best_score, scratch);
}

// Logarithm of the sum of exponentials of the model's own logits; 0 when all are -infinity. Writes
// the best tokens' log probabilities.
M3_DEVICE double OwnLogProbs(const SampledRow& row, TokenLogprob* top, SamplingScratch& scratch) {
  const float best = ScoreOfRank(FindBest(row.logits, row.vocab, scratch));
  double log_sum = 0;
  if (best != MinusInfinity()) {
    const Amount sum = SumSegments(row.logits, row.vocab, scratch, [=](int32_t token, float score) {
      return FixedPoint(ExpOfNonPositive(score - best));
    });
    log_sum = best + log(static_cast<double>(sum) / kWeightOne);
  }
  int32_t count = row.rules.top_logprobs;
  if (count > row.vocab) count = row.vocab;
  if (count == 0) return log_sum;
  const Rank worst = WorstOfBest(row.logits, row.vocab, count, best, scratch);
  if (threadIdx.x == 0) scratch.listed = 0;
  __syncthreads();
  ForTokens(row.logits, row.vocab, [&](int32_t token, float score) {
    const Rank rank = RankOf(score, token);
    if (rank >= worst) scratch.list[atomicAdd(&scratch.listed, 1)] = rank;
  });
  SortList(count, scratch);
  const auto i = static_cast<int32_t>(threadIdx.x);
  if (i < count) {
    const Rank rank = scratch.list[i];
    top[i] = {TokenOfRank(rank), static_cast<float>(ScoreOfRank(rank) - log_sum)};
  }
  __syncthreads();
  return log_sum;
}

M3_KERNEL void M3_LAUNCH_BOUNDS(kSamplingThreads) SampleKernel(SamplingArgs args) {
  const int32_t slot = args.slot[blockIdx.x];
  if (slot < 0) return;
  SamplingScratch& scratch = *SharedMemory<SamplingScratch>();
  SlotSampling& sampling = args.state.slots[slot];
  const int64_t vocab = args.state.vocab;
  uint32_t* marks = args.state.marks + slot * vocab;
  const SampledRow row = {.rules = sampling.rules,
                          .bias = sampling.bias,
                          .marks = marks,
                          .logits = args.logits + blockIdx.x * vocab,
                          .work = args.scratch + blockIdx.x * vocab,
                          .vocab = args.state.vocab};
  const bool with_logprobs = row.rules.top_logprobs >= 0;
  double log_sum = 0;
  if (with_logprobs) {
    log_sum = OwnLogProbs(row, args.top_logprobs + int64_t{blockIdx.x} * kMaxTopLogprobs, scratch);
  }
  const int32_t token = Choose(row, scratch);
  // All threads have read the slot's state, up to the barrier that Choose ends with.
  if (threadIdx.x != 0) return;
  args.token[blockIdx.x] = token;
  args.state.last_token[slot] = token;
  args.logprob[blockIdx.x] =
      with_logprobs ? static_cast<float>(Finite(row.logits[token]) - log_sum) : 0.0f;
  ++marks[token];
  ++sampling.rules.generated;
}

M3_KERNEL void M3_LAUNCH_BOUNDS(kMarkThreads)
    MarkKernel(uint32_t* marks, const int32_t* tokens, int32_t count, uint32_t mark) {
  const auto i = static_cast<int32_t>(blockIdx.x * kMarkThreads + threadIdx.x);
  if (i < count) atomicOr(&marks[tokens[i]], mark);
}

}  // namespace

void MarkTokens(Stream& stream, const SamplerState& state, int32_t slot, const int32_t* tokens,
                int32_t count, uint32_t mark) {
  if (count == 0) return;
  const LaunchShape shape = {
      .grid = {static_cast<uint32_t>((count + kMarkThreads - 1) / kMarkThreads)},
      .threads = kMarkThreads};
  Launch(stream, shape, MarkKernel, state.marks + int64_t{slot} * state.vocab, tokens, count, mark);
}

void SampleTokens(Stream& stream, const SamplingArgs& args) {
  if (args.rows == 0) return;
  const LaunchShape shape = {.grid = {static_cast<uint32_t>(args.rows)},
                             .threads = kSamplingThreads,
                             .shared_bytes = sizeof(SamplingScratch)};
  Launch(stream, shape, SampleKernel, args);
}

}  // namespace memory3::cuda
