#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "engine/sampling/philox.h"

namespace memory3 {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
// Room for the stop ids of ordinary requests, so that Reset does not allocate for them.
constexpr int kUsualSuppressed = 64;

int BlocksOf(int vocab) { return (vocab + kSumBlock - 1) / kSumBlock; }

}  // namespace

SequenceSampler::SequenceSampler(int vocab)
    : vocab_(vocab), answer_count_(vocab, 0), in_prompt_(vocab, 0) {
  M3_CHECK(vocab > 0);
  touched_.reserve(vocab);
  candidates_.reserve(vocab);
  block_sums_.reserve(BlocksOf(vocab));
  own_logits_.reserve(vocab);
  params_.logit_bias.reserve(kMaxLogitBias);
  params_.suppressed_until_min.reserve(kUsualSuppressed);
}

void SequenceSampler::Reset(const SamplingParams& params, absl::Span<const int32_t> prompt) {
  params_ = params;
  generated_ = 0;
  for (const int32_t token : touched_) {
    answer_count_[token] = 0;
    in_prompt_[token] = 0;
  }
  touched_.clear();
  for (const int32_t token : prompt) {
    M3_CHECK(token >= 0 && token < vocab_);
    if (in_prompt_[token] == 0) touched_.push_back(token);
    in_prompt_[token] = 1;
  }
}

SampledToken SequenceSampler::Sample(absl::Span<float> logits,
                                     std::vector<TokenLogprob>* top_logprobs) {
  M3_CHECK(static_cast<int>(logits.size()) == vocab_);
  SampledToken sampled{};
  if (params_.top_logprobs < 0) {
    sampled.token = Choose(logits);
    Count(sampled.token);
    return sampled;
  }
  MakeFinite(logits);
  own_logits_.assign(logits.begin(), logits.end());
  const float max = MaxScore(logits);
  const double log_sum = max == kMinusInfinity ? 0 : max + std::log(SumOfExp(logits, max));
  sampled.token = Choose(logits);
  sampled.logprob = static_cast<float>(own_logits_[sampled.token] - log_sum);
  AppendTopLogprobs(log_sum, &sampled, top_logprobs);
  Count(sampled.token);
  return sampled;
}

void SequenceSampler::AppendTopLogprobs(double log_sum, SampledToken* sampled,
                                        std::vector<TokenLogprob>* out) {
  sampled->top_begin = static_cast<int32_t>(out->size());
  sampled->top_count = std::min(params_.top_logprobs, vocab_);
  if (sampled->top_count == 0) return;
  SelectBest(own_logits_, sampled->top_count, &candidates_);
  std::sort(candidates_.begin(), candidates_.end(), IsBetter);
  for (const Candidate& best : candidates_) {
    out->push_back({best.token, static_cast<float>(best.score - log_sum)});
  }
}

int32_t SequenceSampler::Choose(absl::Span<float> logits) {
  if (params_.temperature == 0) {
    if (AdjustsLogits()) {
      MakeFinite(logits);
      Adjust(logits);
    }
    return ArgMax(logits);
  }
  FilterToWeights(logits);
  return Draw(logits);
}

void SequenceSampler::FilterToWeights(absl::Span<float> logits) {
  MakeFinite(logits);
  if (AdjustsLogits()) Adjust(logits);
  const float max = MaxScore(logits);
  if (params_.temperature == 0 || max == kMinusInfinity) {
    const int32_t best = ArgMax(logits);
    std::fill(logits.begin(), logits.end(), 0.0f);
    logits[best] = 1.0f;
    return;
  }
  if (params_.top_k > 0 && params_.top_k < vocab_) ApplyTopK(logits);
  ToWeights(logits, max, params_.temperature);
  if (params_.top_p < 1 || params_.min_p > 0) ApplyTopPAndMinP(logits);
}

bool SequenceSampler::AdjustsLogits() const {
  return !params_.logit_bias.empty() || params_.repetition_penalty != 1 ||
         params_.presence_penalty != 0 || params_.frequency_penalty != 0 ||
         (generated_ < params_.min_tokens && !params_.suppressed_until_min.empty());
}

void SequenceSampler::Adjust(absl::Span<float> logits) const {
  for (const auto& [token, bias] : params_.logit_bias) logits[token] += bias;
  const bool penalised = params_.repetition_penalty != 1 || params_.presence_penalty != 0 ||
                         params_.frequency_penalty != 0;
  if (penalised) {
    const float repetition = params_.repetition_penalty;
    for (const int32_t token : touched_) {
      float& logit = logits[token];
      logit = logit > 0 ? logit / repetition : logit * repetition;
      // The division may overflow; what comes after must be able to subtract.
      logit = std::min(logit, std::numeric_limits<float>::max());
      const float count = static_cast<float>(answer_count_[token]);
      if (count > 0) logit -= params_.presence_penalty + count * params_.frequency_penalty;
    }
  }
  if (generated_ < params_.min_tokens) {
    for (const int32_t token : params_.suppressed_until_min) logits[token] = kMinusInfinity;
  }
}

void SequenceSampler::ApplyTopK(absl::Span<float> logits) {
  SelectBest(logits, params_.top_k, &candidates_);
  const Candidate worst = candidates_.back();
  for (int32_t token = 0; token < vocab_; ++token) {
    if (IsBetter(worst, {logits[token], token})) logits[token] = kMinusInfinity;
  }
}

void SequenceSampler::ApplyTopPAndMinP(absl::Span<float> weights) {
  Candidate worst{0.0f, vocab_};
  if (params_.top_p < 1) {
    const double total = SumInBlocks(weights, &block_sums_);
    worst = NucleusCutoff(weights, params_.top_p * total, total, &candidates_);
  }
  // The best weight is 1, so min_p compares directly.
  for (int32_t token = 0; token < vocab_; ++token) {
    const float weight = weights[token];
    if (weight < params_.min_p || IsBetter(worst, {weight, token})) weights[token] = 0;
  }
}

int32_t SequenceSampler::Draw(absl::Span<const float> weights) {
  const double target =
      SumInBlocks(weights, &block_sums_) * CounterUniform(params_.seed, generated_);
  double sum = 0;
  size_t block = 0;
  while (block + 1 < block_sums_.size() && sum + block_sums_[block] <= target) {
    sum += block_sums_[block++];
  }
  // Within the block the order of additions differs from that of the block's sum, so rounding may
  // leave the target a hair above everything: then the last token with a weight is meant.
  const size_t end = std::min(weights.size(), (block + 1) * kSumBlock);
  int32_t last = -1;
  for (size_t token = block * kSumBlock; token < end; ++token) {
    if (!(weights[token] > 0)) continue;
    last = static_cast<int32_t>(token);
    sum += weights[token];
    if (sum > target) break;
  }
  return last >= 0 ? last : ArgMax(weights);
}

void SequenceSampler::Count(int32_t token) {
  if (in_prompt_[token] == 0 && answer_count_[token] == 0) touched_.push_back(token);
  ++answer_count_[token];
  ++generated_;
}

}  // namespace memory3
