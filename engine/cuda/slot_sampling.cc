#include "engine/base/check.h"
#include "engine/cuda/kernels/sampling.h"

namespace memory3::cuda {

void ToSlotSampling(const SamplingParams& params, SlotSampling* slot) {
  M3_CHECK(params.logit_bias.size() <= kMaxLogitBias);
  slot->rules = {.seed = params.seed,
                 .temperature = params.temperature,
                 .top_p = params.top_p,
                 .min_p = params.min_p,
                 .repetition_penalty = params.repetition_penalty,
                 .presence_penalty = params.presence_penalty,
                 .frequency_penalty = params.frequency_penalty,
                 .top_k = params.top_k,
                 .min_tokens = params.suppressed_until_min.empty() ? 0 : params.min_tokens,
                 .top_logprobs = params.top_logprobs,
                 .bias_count = static_cast<int32_t>(params.logit_bias.size())};
  TokenBias* next = slot->bias;
  for (const auto& [token, bias] : params.logit_bias) *next++ = {token, bias};
}

}  // namespace memory3::cuda
