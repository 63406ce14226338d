// What config.json's "memory3" object says about a model's explicit memory (Memory³ paper, sections
// 3.1-3.3), and the shape of one stored memory that follows from it.
#ifndef MEMORY3_ENGINE_MODEL_MEMORY_CONFIG_H_
#define MEMORY3_ENGINE_MODEL_MEMORY_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/model_config.h"
#include "engine/model/safetensors.h"

namespace memory3 {

// How the tokens kept of a reference are weighed (paper, 3.3): the sum over queries of the softmax
// over keys, or of the plain exponentials.
enum class TokenSelection : uint8_t { kSoftmaxSum, kExpSum };

struct MemoryConfig {
  std::vector<int> layers;     // ascending, distinct; default: the first half of the model's
  int reference_tokens = 128;  // of one reference at most, the prefix not counted
  int kept_tokens = 8;         // per layer and KV head, at most reference_tokens
  int memories_per_chunk = 5;  // attached to one chunk at most
  int chunk_tokens = 64;       // between two retrievals
  std::string reference_prefix = "<s>Reference:";
  TokenSelection selection = TokenSelection::kSoftmaxSum;
};

// The "memory3" object of config.json, defaults where it or a key of it is absent. `overrides`
// (a JSON object, may be empty) wins over the file: for checkpoints that were published without.
// InvalidArgument naming the key.
absl::StatusOr<MemoryConfig> ParseMemoryConfig(std::string_view config_json,
                                               std::string_view overrides, const ModelConfig& model,
                                               std::string_view source);
absl::StatusOr<MemoryConfig> LoadMemoryConfig(const std::filesystem::path& model_dir,
                                              std::string_view overrides, const ModelConfig& model);

// One memory: (layers, 2, kv_heads, kept_tokens, head_dim), keys after RoPE, then values. A
// reference shorter than kept_tokens fills the first `tokens` of kept_tokens; the rest is zero.
struct MemoryShape {
  int layers = 0;  // memory layers, not the model's
  int kv_heads = 0;
  int kept_tokens = 0;
  int head_dim = 0;
  DType dtype = DType::kBF16;  // kBF16, or kF32 for parity

  int64_t layer_elements() const { return int64_t{2} * kv_heads * kept_tokens * head_dim; }
  int64_t bytes() const { return layers * layer_elements() * SizeOf(dtype); }
  bool operator==(const MemoryShape&) const = default;
};
MemoryShape MemoryShapeOf(const MemoryConfig& memory, const ModelConfig& model,
                          DType dtype = DType::kBF16);
// "22 layers, 8 KV heads, 8 tokens, head_dim 80, BF16": for messages.
std::string Describe(const MemoryShape& shape);

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MODEL_MEMORY_CONFIG_H_
