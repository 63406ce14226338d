// How the next token of one sequence is chosen. Part of the runner floor because sampling happens
// on the device. OpenAI / Hugging Face names and semantics; Validate names the first field that is
// out of range.
#ifndef MEMORY3_ENGINE_RUNNER_SAMPLING_PARAMS_H_
#define MEMORY3_ENGINE_RUNNER_SAMPLING_PARAMS_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace memory3 {

inline constexpr int kMaxTopLogprobs = 20;
inline constexpr int kMaxLogitBias = 1024;
inline constexpr float kMaxTemperature = 100.0f;

struct SamplingParams {
  // 0 is greedy: the largest logit after penalties and bias, ties to the lower id.
  float temperature = 1.0f;
  int top_k = 0;  // 0: all
  float top_p =
      1.0f;  // (0, 1]; the smallest set of most probable tokens whose probability reaches top_p
  float min_p = 0.0f;  // [0, 1]; drops tokens less probable than min_p times the most probable one
  // > 0; divides positive and multiplies negative logits of tokens in the prompt or the answer
  // (Hugging Face).
  float repetition_penalty = 1.0f;
  // [-2, 2]; subtracted once (presence), or per occurrence (frequency), for tokens in the answer
  // (OpenAI).
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  // Added to the logits; values in [-100, 100], ids distinct.
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;
  // While fewer than min_tokens are generated, suppressed_until_min cannot be chosen (end-of-text
  // and stop ids).
  int min_tokens = 0;
  std::vector<int32_t> suppressed_until_min;
  // -1: no logprobs; k >= 0: the chosen token's and the k best's, from log_softmax of the model's
  // own logits (before penalties, bias and temperature).
  int top_logprobs = -1;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_RUNNER_SAMPLING_PARAMS_H_
