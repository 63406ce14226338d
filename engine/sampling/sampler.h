// Chooses tokens on the CPU, as SamplingParams says: the reference for the device samplers.
//
//   SequenceSampler sampler(vocab);
//   sampler.Reset(params, prompt);                       // allocates nothing once warm
//   SampledToken token = sampler.Sample(logits, &tops);  // and counts the token as generated
//
// The random number of generated token t is a function of (seed, t) alone (counter-based), so a
// sequence's tokens do not depend on its batch mates. Order of operations: logprobs from the raw
// logits; logit_bias; repetition, presence and frequency penalties; min_tokens; then greedy, or
// temperature, top_k, top_p, min_p, draw. Not thread-safe; different samplers may run at once.
#ifndef MEMORY3_ENGINE_SAMPLING_SAMPLER_H_
#define MEMORY3_ENGINE_SAMPLING_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/runner/batch.h"
#include "engine/runner/sampling_params.h"

namespace memory3 {

// InvalidArgument naming the field ("top_p must be in (0, 1], got 1.5"), NaN and infinities
// included.
absl::Status Validate(const SamplingParams& params, int vocab);

class SequenceSampler {
 public:
  explicit SequenceSampler(int vocab);

  void Reset(const SamplingParams& params, absl::Span<const int32_t> prompt);

  // `logits`: vocab values, overwritten as scratch. Appends to *top_logprobs when asked for. slot
  // is left 0 for the caller.
  SampledToken Sample(absl::Span<float> logits, std::vector<TokenLogprob>* top_logprobs);

  int generated() const { return generated_; }

 private:
  struct Candidate {
    float logit;
    int32_t token;
  };
  const int vocab_;
  SamplingParams params_;
  int generated_ = 0;
  // Occurrences in the answer, and whether a token was in the prompt: only touched entries are
  // reset.
  std::vector<int32_t> answer_count_;
  std::vector<uint8_t> in_prompt_;
  std::vector<int32_t> touched_;
  std::vector<Candidate> candidates_;
};

// Uniform in [0, 1) from a counter-based generator: the same on every platform and device.
double CounterUniform(uint64_t seed, uint64_t counter);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_SAMPLING_SAMPLER_H_
