// Writes a complete Hugging Face model folder with seeded random weights: for tests, benchmarks and
// demonstrations of shapes for which no checkpoint is at hand.
//
//   SynthShape shape = {.hidden = 64, .layers = 2, ...};
//   M3_RETURN_IF_ERROR(WriteSynthModel(shape, {.seed = 1}, "models/tiny"));
//
// The same shape and options give the same bytes, whatever the number of threads. Weights are
// streamed: memory use does not grow with the model.
#ifndef MEMORY3_TOOLS_SYNTH_MODEL_H_
#define MEMORY3_TOOLS_SYNTH_MODEL_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/model/safetensors.h"

namespace memory3 {

struct SynthShape {
  std::string architecture = "LlamaForCausalLM";  // or MistralForCausalLM, Qwen2ForCausalLM
  int hidden = 256;
  int layers = 4;
  int heads = 8;
  int kv_heads = 4;
  int head_dim = 32;
  int mlp = 768;
  int vocab = 1024;  // at least kSynthMinVocab
  int context = 2048;
  bool tied_embeddings = false;
  bool attention_bias = false;  // Qwen2 has q, k and v biases in any case
  bool mlp_bias = false;
  double rope_theta = 10000.0;
};

// 256 bytes and three special tokens.
inline constexpr int kSynthMinVocab = 259;

// "memory3-2b": the shape published with the Memory³ paper. "llama-1b2": a common Llama shape.
// nullopt for other names.
std::optional<SynthShape> NamedSynthShape(absl::string_view name);

struct SynthOptions {
  uint64_t seed = 1;
  DType dtype = DType::kBF16;
  // Larger checkpoints are sharded with an index, as published ones are.
  int64_t max_shard_bytes = int64_t{4} << 30;
  int threads = 1;
  bool overwrite = false;  // of a folder that is not empty
};

// InvalidArgument naming the number that is off; an error leaves no file under its final name that
// is not whole.
absl::Status WriteSynthModel(const SynthShape& shape, const SynthOptions& options,
                             const std::filesystem::path& folder);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_SYNTH_MODEL_H_
