// Texts in, unit vectors out: what makes two texts near to each other.
//
//   M3_ASSIGN_OR_RETURN(auto embedder, BuildEmbedder(options, count, text_of));  // learns
//   M3_RETURN_IF_ERROR(embedder->Save(dir / "embedder.bin"));
//   M3_ASSIGN_OR_RETURN(auto same, LoadEmbedder(dir / "embedder.bin", {}));      // in the sidecar
//
// References and queries are embedded alike; nearness is the inner product.
#ifndef MEMORY3_RETRIEVAL_EMBED_EMBEDDER_H_
#define MEMORY3_RETRIEVAL_EMBED_EMBEDDER_H_

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace memory3 {

// Of every embedder: bounds what a file may claim.
inline constexpr int kMaxDimensions = 8192;

// Thread-safe.
class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual std::string name() const = 0;  // "lexical-1024", "bert-384"
  virtual int dimensions() const = 0;

  // out: texts.size() x dimensions() floats, row-major; row i is the embedding of texts[i], of
  // length 1, or all zeros when the text has nothing to go by (it is empty, or only spaces).
  // Texts that are not UTF-8 are embedded with U+FFFD in place of what is wrong.
  virtual absl::Status Embed(absl::Span<const std::string_view> texts,
                             absl::Span<float> out) const = 0;

  // Writes what LoadEmbedder needs, under a checksum of its own; equal embedders write equal bytes.
  virtual absl::Status Save(const std::filesystem::path& file) const = 0;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_EMBEDDER_H_
