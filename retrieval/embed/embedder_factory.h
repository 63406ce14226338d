// Makes embedders: learned from the texts of a bank, or read back from the file of one.
#ifndef MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FACTORY_H_
#define MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FACTORY_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "retrieval/embed/embedder.h"

namespace memory3 {

enum class EmbedderKind : uint8_t {
  kLexical = 1,      // hashed n-grams; needs no model
  kTransformer = 2,  // BERT family, from a Hugging Face folder
};

// How a transformer's last layer becomes one vector. kFolder: as 1_Pooling/config.json of the
// folder says, mean where there is none.
enum class Pooling : uint8_t { kFolder = 0, kMean = 1, kCls = 2 };

struct EmbedderOptions {
  EmbedderKind kind = EmbedderKind::kLexical;
  int lexical_dimensions = 1024;  // in [64, kMaxDimensions]

  // kTransformer only.
  std::filesystem::path model_dir;
  Pooling pooling = Pooling::kFolder;
  int threads = 1;  // of one Embed call
};

// The text of reference `index`; called with every index from 0, in order, possibly several times.
using TextOf = absl::FunctionRef<absl::StatusOr<std::string>(int64_t index)>;

// Learns from the `count` texts what the kind learns (the lexical one: document frequencies).
absl::StatusOr<std::unique_ptr<Embedder>> BuildEmbedder(const EmbedderOptions& options,
                                                        int64_t count, TextOf text_of);

struct EmbedderLoadOptions {
  // Where the model of a transformer embedder lies; the file knows the model by its fingerprint
  // only, so that a bank can be moved. InvalidArgument without it, FailedPrecondition for another
  // model. Not used by the lexical kind.
  std::filesystem::path model_dir;
  int threads = 1;
};

// DataLoss naming the file when its bytes are not what was saved.
absl::StatusOr<std::unique_ptr<Embedder>> LoadEmbedder(const std::filesystem::path& file,
                                                       const EmbedderLoadOptions& options);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FACTORY_H_
