#include "retrieval/embed/bert_weights.h"

#include <xxhash.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

absl::StatusOr<std::vector<SafetensorsFile>> OpenFiles(const std::filesystem::path& model_dir) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(model_dir, error)) {
    if (entry.path().extension() == ".safetensors") paths.push_back(entry.path());
  }
  if (error) return absl::NotFoundError(absl::StrCat(model_dir.string(), ": ", error.message()));
  if (paths.empty()) {
    return absl::NotFoundError(absl::StrCat(model_dir.string(), ": has no *.safetensors file"));
  }
  std::sort(paths.begin(), paths.end());
  std::vector<SafetensorsFile> files;
  for (const std::filesystem::path& path : paths) {
    M3_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

// Looks tensors up and remembers the first problem, so that the list of names reads like a list.
class BertWeights::Finder {
 public:
  Finder(const std::vector<SafetensorsFile>& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  void Find(const std::string& name, std::vector<int64_t> shape, Tensor* tensor) {
    if (!status_.ok()) return;
    const Tensor* found = Lookup(name);
    if (found == nullptr) found = Lookup("bert." + name);
    if (found == nullptr) {
      status_ = absl::NotFoundError(absl::StrCat(folder_, ": tensor ", name, " is missing"));
    } else if (found->shape != shape) {
      status_ = absl::InvalidArgumentError(absl::StrCat(
          folder_, ": tensor ", name, " has the shape [", absl::StrJoin(found->shape, ", "),
          "], expected [", absl::StrJoin(shape, ", "), "]"));
    } else {
      *tensor = *found;
      fingerprint_ = XXH3_64bits_withSeed(name.data(), name.size(), fingerprint_);
      fingerprint_ = XXH3_64bits_withSeed(found->data.data(), found->data.size(), fingerprint_);
    }
  }
  // A weight and its bias.
  void FindPair(const std::string& name, std::vector<int64_t> shape, Tensor* weight, Tensor* bias) {
    const int64_t outputs = shape.front();
    Find(name + ".weight", std::move(shape), weight);
    Find(name + ".bias", {outputs}, bias);
  }

  const absl::Status& status() const { return status_; }
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  const Tensor* Lookup(const std::string& name) const {
    for (const SafetensorsFile& file : files_) {
      const auto found = file.tensors().find(name);
      if (found != file.tensors().end()) return &found->second;
    }
    return nullptr;
  }

  const std::vector<SafetensorsFile>& files_;
  const std::string folder_;
  absl::Status status_;
  uint64_t fingerprint_ = 0;
};

absl::StatusOr<BertWeights> BertWeights::Open(const std::filesystem::path& model_dir,
                                              const BertConfig& config) {
  BertWeights weights;
  M3_ASSIGN_OR_RETURN(weights.files_, OpenFiles(model_dir));
  Finder finder(weights.files_, model_dir.string());
  const int64_t hidden = config.hidden, mlp = config.mlp;
  finder.Find("embeddings.word_embeddings.weight", {config.vocabulary, hidden},
              &weights.word_embeddings);
  finder.Find("embeddings.position_embeddings.weight", {config.positions, hidden},
              &weights.position_embeddings);
  finder.Find("embeddings.token_type_embeddings.weight", {config.token_types, hidden},
              &weights.token_type_embeddings);
  finder.FindPair("embeddings.LayerNorm", {hidden}, &weights.embedding_norm,
                  &weights.embedding_norm_bias);
  weights.layers.resize(static_cast<size_t>(config.layers));
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    BertLayerWeights& layer = weights.layers[i];
    const std::string at = absl::StrCat("encoder.layer.", i, ".");
    const std::string self = at + "attention.self.";
    finder.FindPair(self + "query", {hidden, hidden}, &layer.query, &layer.query_bias);
    finder.FindPair(self + "key", {hidden, hidden}, &layer.key, &layer.key_bias);
    finder.FindPair(self + "value", {hidden, hidden}, &layer.value, &layer.value_bias);
    finder.FindPair(at + "attention.output.dense", {hidden, hidden}, &layer.output,
                    &layer.output_bias);
    finder.FindPair(at + "attention.output.LayerNorm", {hidden}, &layer.attention_norm,
                    &layer.attention_norm_bias);
    finder.FindPair(at + "intermediate.dense", {mlp, hidden}, &layer.up, &layer.up_bias);
    finder.FindPair(at + "output.dense", {hidden, mlp}, &layer.down, &layer.down_bias);
    finder.FindPair(at + "output.LayerNorm", {hidden}, &layer.mlp_norm, &layer.mlp_norm_bias);
  }
  M3_RETURN_IF_ERROR(finder.status());
  weights.fingerprint = finder.fingerprint();
  return weights;
}

}  // namespace memory3
