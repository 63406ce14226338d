// Sentence embeddings of a BERT encoder from a Hugging Face folder: config.json, *.safetensors,
// tokenizer.json, and 1_Pooling/config.json where sentence-transformers wrote one.
#ifndef MEMORY3_RETRIEVAL_EMBED_TRANSFORMER_EMBEDDER_H_
#define MEMORY3_RETRIEVAL_EMBED_TRANSFORMER_EMBEDDER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "engine/base/mutex.h"
#include "engine/text/tokenizer.h"
#include "retrieval/embed/bert_encoder.h"
#include "retrieval/embed/embedder.h"
#include "retrieval/embed/embedder_factory.h"

namespace memory3 {

// Texts longer than the model's positions are cut. Calls of Embed wait for one another: one uses
// all threads.
class TransformerEmbedder : public Embedder {
 public:
  static absl::StatusOr<std::unique_ptr<TransformerEmbedder>> FromFolder(
      const std::filesystem::path& model_dir, Pooling pooling, int threads);
  // FailedPrecondition when options.model_dir holds another model than the file was saved with.
  static absl::StatusOr<std::unique_ptr<TransformerEmbedder>> Load(
      const std::filesystem::path& file, const EmbedderLoadOptions& options);

  std::string name() const override;
  int dimensions() const override { return config_.hidden; }
  absl::Status Embed(absl::Span<const std::string_view> texts,
                     absl::Span<float> out) const override;
  absl::Status Save(const std::filesystem::path& file) const override;

 private:
  TransformerEmbedder(const BertConfig& config, const BertWeights& weights, Pooling pooling,
                      std::unique_ptr<Tokenizer> tokenizer, int threads);
  // Token ids, cut to the model's positions; empty for a text that has none of its own.
  std::vector<int32_t> TokensOf(std::string_view text) const;
  void EmbedBatch(absl::Span<const std::vector<int32_t>> texts, absl::Span<float> out) const;
  void Pool(absl::Span<const float> states, absl::Span<float> out) const;

  const BertConfig config_;
  const Pooling pooling_;
  const uint64_t fingerprint_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const size_t added_tokens_;  // what the tokenizer puts around every text
  mutable Mutex mutex_;
  mutable BertEncoder encoder_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_TRANSFORMER_EMBEDDER_H_
