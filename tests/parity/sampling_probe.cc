// Reads one JSON object per line: vocab, params, prompt, answer (token ids) and logits; answers
// with the weights the sampler would draw from after that answer. For sampling_twin.py.
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/sampling/sampler.h"

namespace memory3 {
namespace {

using Json = nlohmann::json;

SamplingParams ParamsOf(const Json& json) {
  SamplingParams params;
  params.temperature = json.at("temperature").get<float>();
  params.top_k = json.at("top_k").get<int>();
  params.top_p = json.at("top_p").get<float>();
  params.min_p = json.at("min_p").get<float>();
  params.repetition_penalty = json.at("repetition_penalty").get<float>();
  params.presence_penalty = json.at("presence_penalty").get<float>();
  params.frequency_penalty = json.at("frequency_penalty").get<float>();
  params.min_tokens = json.at("min_tokens").get<int>();
  params.logit_bias = json.at("logit_bias").get<std::vector<std::pair<int32_t, float>>>();
  params.suppressed_until_min = json.at("suppressed_until_min").get<std::vector<int32_t>>();
  return params;
}

std::vector<float> Weights(const Json& json) {
  const int vocab = json.at("vocab").get<int>();
  SequenceSampler sampler(vocab);
  sampler.Reset(ParamsOf(json.at("params")), json.at("prompt").get<std::vector<int32_t>>());
  std::vector<TokenLogprob> top;
  for (const int32_t token : json.at("answer").get<std::vector<int32_t>>()) {
    // Only one token is possible: it is chosen, and counted.
    std::vector<float> only(vocab, -std::numeric_limits<float>::infinity());
    only[token] = 0;
    sampler.Sample(absl::MakeSpan(only), &top);
  }
  std::vector<float> logits = json.at("logits").get<std::vector<float>>();
  sampler.FilterToWeights(absl::MakeSpan(logits));
  return logits;
}

}  // namespace
}  // namespace memory3

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << nlohmann::json(memory3::Weights(nlohmann::json::parse(line))).dump() << std::endl;
  }
}
