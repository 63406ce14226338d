#include "engine/model/weights.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "engine/base/status_macros.h"
#include "engine/model/checkpoint_files.h"

namespace memory3 {
namespace {

// Finds tensors by name and holds them against the shape that the configuration implies.
class Lookup {
 public:
  Lookup(const std::filesystem::path& model_dir, const std::vector<SafetensorsFile>& files)
      : model_dir_(model_dir), files_(files) {}

  bool Has(absl::string_view name) const { return Find(name) != nullptr; }

  absl::StatusOr<Tensor> Get(absl::string_view name, const std::vector<int64_t>& shape) {
    for (const SafetensorsFile& file : files_) {
      const auto unsupported = file.unsupported().find(name);
      if (unsupported != file.unsupported().end()) {
        return Error(
            file.path(), name,
            absl::StrCat("dtype ", unsupported->second, " is not supported (F32, F16, BF16)"));
      }
    }
    const SafetensorsFile* file = Find(name);
    if (file == nullptr) return Error(model_dir_, name, "missing");
    const Tensor& tensor = file->tensors().at(name);
    if (tensor.shape != shape) {
      return Error(file->path(), name,
                   absl::StrCat("shape [", absl::StrJoin(tensor.shape, ", "),
                                "], config.json implies [", absl::StrJoin(shape, ", "), "]"));
    }
    bytes_ += static_cast<int64_t>(tensor.data.size());
    elements_ += tensor.elements();
    return tensor;
  }

  absl::StatusOr<Tensor> GetIf(bool wanted, absl::string_view name, std::vector<int64_t> shape) {
    if (!wanted) return Tensor{};
    return Get(name, std::move(shape));
  }

  int64_t bytes() const { return bytes_; }
  int64_t elements() const { return elements_; }

 private:
  const SafetensorsFile* Find(absl::string_view name) const {
    for (const SafetensorsFile& file : files_) {
      if (file.tensors().contains(name)) return &file;
    }
    return nullptr;
  }

  static absl::Status Error(const std::filesystem::path& where, absl::string_view name,
                            absl::string_view problem) {
    return absl::InvalidArgumentError(
        absl::StrCat(where.string(), ": tensor '", name, "': ", problem));
  }

  const std::filesystem::path& model_dir_;
  const std::vector<SafetensorsFile>& files_;
  int64_t bytes_ = 0;
  int64_t elements_ = 0;
};

absl::StatusOr<LayerWeights> ReadLayer(Lookup& lookup, const ModelConfig& config, int index) {
  const std::string layer = absl::StrCat("model.layers.", index, ".");
  const std::string attention = absl::StrCat(layer, "self_attn.");
  const std::string mlp = absl::StrCat(layer, "mlp.");
  const int64_t hidden = config.hidden, q = config.q_width(), kv = config.kv_width(),
                wide = config.mlp;
  LayerWeights w;
  M3_ASSIGN_OR_RETURN(w.input_norm, lookup.Get(layer + "input_layernorm.weight", {hidden}));
  M3_ASSIGN_OR_RETURN(w.q_proj, lookup.Get(attention + "q_proj.weight", {q, hidden}));
  M3_ASSIGN_OR_RETURN(w.k_proj, lookup.Get(attention + "k_proj.weight", {kv, hidden}));
  M3_ASSIGN_OR_RETURN(w.v_proj, lookup.Get(attention + "v_proj.weight", {kv, hidden}));
  M3_ASSIGN_OR_RETURN(w.q_bias, lookup.GetIf(config.qkv_bias, attention + "q_proj.bias", {q}));
  M3_ASSIGN_OR_RETURN(w.k_bias, lookup.GetIf(config.qkv_bias, attention + "k_proj.bias", {kv}));
  M3_ASSIGN_OR_RETURN(w.v_bias, lookup.GetIf(config.qkv_bias, attention + "v_proj.bias", {kv}));
  M3_ASSIGN_OR_RETURN(w.o_proj, lookup.Get(attention + "o_proj.weight", {hidden, q}));
  M3_ASSIGN_OR_RETURN(w.o_bias, lookup.GetIf(config.o_bias, attention + "o_proj.bias", {hidden}));
  M3_ASSIGN_OR_RETURN(w.post_attention_norm,
                      lookup.Get(layer + "post_attention_layernorm.weight", {hidden}));
  M3_ASSIGN_OR_RETURN(w.gate_proj, lookup.Get(mlp + "gate_proj.weight", {wide, hidden}));
  M3_ASSIGN_OR_RETURN(w.up_proj, lookup.Get(mlp + "up_proj.weight", {wide, hidden}));
  M3_ASSIGN_OR_RETURN(w.down_proj, lookup.Get(mlp + "down_proj.weight", {hidden, wide}));
  M3_ASSIGN_OR_RETURN(w.gate_bias, lookup.GetIf(config.mlp_bias, mlp + "gate_proj.bias", {wide}));
  M3_ASSIGN_OR_RETURN(w.up_bias, lookup.GetIf(config.mlp_bias, mlp + "up_proj.bias", {wide}));
  M3_ASSIGN_OR_RETURN(w.down_bias, lookup.GetIf(config.mlp_bias, mlp + "down_proj.bias", {hidden}));
  return w;
}

}  // namespace

absl::StatusOr<ModelWeights> ModelWeights::Open(const std::filesystem::path& model_dir,
                                                const ModelConfig& config) {
  constexpr char kEmbedding[] = "model.embed_tokens.weight";
  constexpr char kLmHead[] = "lm_head.weight";
  ModelWeights weights;
  M3_ASSIGN_OR_RETURN(weights.files_, OpenCheckpointFiles(model_dir));

  Lookup lookup(model_dir, weights.files_);
  const std::vector<int64_t> matrix = {config.vocab, config.hidden};
  // Tied checkpoints store the one matrix under either name; when both are stored, each is used as
  // itself, as an untied checkpoint's are.
  const bool has_embedding = lookup.Has(kEmbedding);
  const bool has_lm_head = lookup.Has(kLmHead);
  const bool share = config.tied_embeddings && has_embedding != has_lm_head;
  M3_ASSIGN_OR_RETURN(weights.embedding_,
                      lookup.Get(share && !has_embedding ? kLmHead : kEmbedding, matrix));
  if (share) {
    weights.lm_head_ = weights.embedding_;
  } else {
    M3_ASSIGN_OR_RETURN(weights.lm_head_, lookup.Get(kLmHead, matrix));
  }
  M3_ASSIGN_OR_RETURN(weights.final_norm_, lookup.Get("model.norm.weight", {config.hidden}));
  for (int layer = 0; layer < config.layers; ++layer) {
    M3_ASSIGN_OR_RETURN(LayerWeights layer_weights, ReadLayer(lookup, config, layer));
    weights.layers_.push_back(std::move(layer_weights));
  }
  weights.total_bytes_ = lookup.bytes();
  weights.parameters_ = lookup.elements();
  return weights;
}

void ModelWeights::DropPages(const Tensor& tensor) const {
  for (const SafetensorsFile& file : files_) {
    const auto found = file.tensors().find(tensor.name);
    if (found != file.tensors().end() && found->second.data.data() == tensor.data.data())
      file.DropPages(tensor);
  }
}

}  // namespace memory3
