// One search result, and the order of results.
#ifndef MEMORY3_RETRIEVAL_INDEX_SCORED_ID_H_
#define MEMORY3_RETRIEVAL_INDEX_SCORED_ID_H_

#include "engine/memory/memory_id.h"

namespace memory3 {

struct ScoredId {
  MemoryId id = 0;
  float score = 0;  // inner product of unit vectors

  bool operator==(const ScoredId&) const = default;
};

// Best first; the lower id among equals, so that an answer does not depend on how it was found.
inline bool Better(const ScoredId& a, const ScoredId& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_SCORED_ID_H_
