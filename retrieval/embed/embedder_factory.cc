#include "retrieval/embed/embedder_factory.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "retrieval/base/checked_file.h"
#include "retrieval/embed/embedder_files.h"
#include "retrieval/embed/lexical_embedder.h"
#include "retrieval/embed/transformer_embedder.h"

namespace memory3 {

absl::StatusOr<std::unique_ptr<Embedder>> BuildEmbedder(const EmbedderOptions& options,
                                                        int64_t count, TextOf text_of) {
  if (options.kind == EmbedderKind::kTransformer) {
    return TransformerEmbedder::FromFolder(options.model_dir, options.pooling, options.threads);
  }
  if (options.lexical_dimensions < kMinLexicalDimensions ||
      options.lexical_dimensions > kMaxDimensions) {
    return absl::InvalidArgumentError(absl::StrCat("lexical_dimensions: must be in [",
                                                   kMinLexicalDimensions, ", ", kMaxDimensions,
                                                   "], got ", options.lexical_dimensions));
  }
  LexicalLearner learner;
  for (int64_t i = 0; i < count; ++i) {
    M3_ASSIGN_OR_RETURN(const std::string text, text_of(i));
    learner.Add(text);
  }
  return std::make_unique<LexicalEmbedder>(options.lexical_dimensions, learner.Take());
}

absl::StatusOr<std::unique_ptr<Embedder>> LoadEmbedder(const std::filesystem::path& file,
                                                       const EmbedderLoadOptions& options) {
  M3_ASSIGN_OR_RETURN(const std::vector<char> payload,
                      ReadCheckedFile(file, kEmbedderMagic, kMaxEmbedderBytes));
  const int kind = payload.empty() ? 0 : static_cast<uint8_t>(payload.front());
  switch (static_cast<EmbedderKind>(kind)) {
    case EmbedderKind::kLexical:
      return LexicalEmbedder::Load(file);
    case EmbedderKind::kTransformer:
      return TransformerEmbedder::Load(file, options);
  }
  return absl::DataLossError(absl::StrCat(file.string(), ": holds no kind of embedder we know"));
}

}  // namespace memory3
