// What the files of all embedders have in common: a checked file (retrieval/base/checked_file.h)
// whose payload begins with a byte that is the EmbedderKind.
#ifndef MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FILES_H_
#define MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FILES_H_

#include <cstdint>
#include <string_view>

#include "retrieval/embed/embedder_factory.h"

namespace memory3 {

inline constexpr std::string_view kEmbedderMagic = "M3EMBED1";
inline constexpr uint64_t kMaxEmbedderBytes = uint64_t{1} << 26;

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_EMBED_EMBEDDER_FILES_H_
