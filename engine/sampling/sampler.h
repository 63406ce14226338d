// Chooses tokens on the CPU, as SamplingParams says: the reference for the device samplers.
//
//   SequenceSampler sampler(vocab);
//   sampler.Reset(params, prompt);                       // allocates nothing once warm
//   SampledToken token = sampler.Sample(logits, &tops);  // and counts the token as generated
//
// The random number of generated token t is a function of (seed, t) alone (counter-based), so a
// sequence's tokens do not depend on its batch mates. Order of operations, as in Hugging Face:
//   1. logprobs, from the model's own logits;
//   2. logit_bias is added;
//   3. repetition_penalty, over the prompt and the answer; then presence and frequency penalties,
//      over the answer;
//   4. while fewer than min_tokens are generated, suppressed_until_min become -infinity;
//   5. temperature 0: the largest logit. Otherwise, with l' = l / temperature:
//   6. top_k keeps the k best; top_p, over what is left and its probabilities renormalised, the
//      fewest best tokens that reach it; min_p, those at least min_p times as probable as the best;
//   7. the draw: the kept tokens in ascending id share [0, 1), the uniform number picks one.
// Whenever tokens compare equal the lower id is the better one, so the sets are always exact: top_k
// never keeps more than k.
//
// No logit can break it: NaN counts as -infinity, +infinity as the largest float. When nothing is
// left to choose from (all logits NaN or -infinity) the answer is token 0 with logprob -infinity.
// Not thread-safe; different samplers may run at once.
#ifndef MEMORY3_ENGINE_SAMPLING_SAMPLER_H_
#define MEMORY3_ENGINE_SAMPLING_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/runner/batch.h"
#include "engine/runner/sampling_params.h"
#include "engine/sampling/candidates.h"

namespace memory3 {

// A FieldError ("top_p: must be in (0, 1], got 1.5"), NaN and infinities included.
absl::Status Validate(const SamplingParams& params, int vocab);

class SequenceSampler {
 public:
  explicit SequenceSampler(int vocab);

  // Params are valid and prompt tokens in the vocabulary.
  void Reset(const SamplingParams& params, absl::Span<const int32_t> prompt);

  // `logits`: vocab values, overwritten as scratch. Appends to *top_logprobs when asked for. slot
  // is left 0 for the caller.
  SampledToken Sample(absl::Span<float> logits, std::vector<TokenLogprob>* top_logprobs);

  // Steps 2 to 6: turns `logits` into weights, proportional to the probability with which Sample
  // would choose each token now (1 for the greedy choice); tokens that cannot be chosen get 0.
  void FilterToWeights(absl::Span<float> logits);

  int generated() const { return generated_; }

 private:
  bool AdjustsLogits() const;
  void Adjust(absl::Span<float> logits) const;
  int32_t Choose(absl::Span<float> logits);
  int32_t Draw(absl::Span<const float> weights);
  void ApplyTopK(absl::Span<float> logits);
  void ApplyTopPAndMinP(absl::Span<float> weights);
  void AppendTopLogprobs(double log_sum, SampledToken* sampled, std::vector<TokenLogprob>* out);
  void Count(int32_t token);

  const int vocab_;
  SamplingParams params_;
  int generated_ = 0;
  // Occurrences in the answer, and whether a token was in the prompt: only touched entries are
  // reset.
  std::vector<int32_t> answer_count_;
  std::vector<uint8_t> in_prompt_;
  std::vector<int32_t> touched_;
  // Scratch, with room from the start. The model's own logits are kept only for logprobs.
  std::vector<Candidate> candidates_;
  std::vector<double> block_sums_;
  std::vector<float> own_logits_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SAMPLING_SAMPLER_H_
