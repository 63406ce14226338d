#include "engine/model/fingerprint.h"

#include <xxhash.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "engine/base/string_views.h"

namespace memory3 {
namespace {

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), XXH3_freeState) { XXH3_128bits_reset(state_.get()); }

  void AddText(const std::string& text) {
    XXH3_128bits_update(state_.get(), text.data(), text.size());
  }
  void AddTensor(absl::string_view name, const Tensor& tensor) {
    if (!tensor.present()) return;
    AddText(absl::StrCat("\n", name, " ", AbslView(NameOf(tensor.dtype)), " ",
                         absl::StrJoin(tensor.shape, "x"), "\n"));
    XXH3_128bits_update(state_.get(), tensor.data.data(), tensor.data.size());
  }
  std::string Digest() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
  }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

// Numbers that change keys and values; printed so that equal numbers give equal text.
std::string DescribeModel(const ModelConfig& model) {
  std::string text = absl::StrFormat(
      "hidden %d heads %d kv_heads %d head_dim %d mlp %d vocab %d eps %.17g theta %.17g",
      model.hidden, model.heads, model.kv_heads, model.head_dim, model.mlp, model.vocab,
      model.rms_norm_eps, model.rope_theta);
  if (model.rope_scaling.has_value()) {
    const RopeScaling& scaling = *model.rope_scaling;
    absl::StrAppendFormat(&text, " scaling %d %.17g %.17g %.17g %d", static_cast<int>(scaling.kind),
                          scaling.factor, scaling.low_freq_factor, scaling.high_freq_factor,
                          scaling.original_max_position_embeddings);
  }
  return text;
}

}  // namespace

std::string ModelFingerprint(const ModelConfig& model, const MemoryConfig& memory,
                             absl::Span<const int32_t> prefix_ids, const ModelWeights& weights) {
  Hasher hasher;
  hasher.AddText(DescribeModel(model));
  hasher.AddText(absl::StrCat(" layers ", absl::StrJoin(memory.layers, ","), " reference ",
                              memory.reference_tokens, " kept ", memory.kept_tokens, " selection ",
                              static_cast<int>(memory.selection), " prefix ",
                              absl::StrJoin(prefix_ids, ",")));
  hasher.AddTensor("embedding", weights.embedding());
  for (int i = 0; i <= memory.layers.back(); ++i) {
    const LayerWeights& layer = weights.layer(i);
    hasher.AddText(absl::StrCat("\nlayer ", i));
    const std::pair<absl::string_view, const Tensor*> tensors[] = {
        {"input_norm", &layer.input_norm},
        {"q", &layer.q_proj},
        {"k", &layer.k_proj},
        {"v", &layer.v_proj},
        {"q_bias", &layer.q_bias},
        {"k_bias", &layer.k_bias},
        {"v_bias", &layer.v_bias},
        {"o", &layer.o_proj},
        {"o_bias", &layer.o_bias},
        {"norm", &layer.post_attention_norm},
        {"gate", &layer.gate_proj},
        {"up", &layer.up_proj},
        {"gate_bias", &layer.gate_bias},
        {"up_bias", &layer.up_bias},
        {"down", &layer.down_proj},
        {"down_bias", &layer.down_bias}};
    for (const auto& [name, tensor] : tensors) hasher.AddTensor(name, *tensor);
  }
  return hasher.Digest();
}

}  // namespace memory3
