// What the search graph of a bank is built with (Malkov and Yashunin's HNSW).
#ifndef MEMORY3_RETRIEVAL_INDEX_GRAPH_PARAMETERS_H_
#define MEMORY3_RETRIEVAL_INDEX_GRAPH_PARAMETERS_H_

#include <cstdint>

#include "absl/status/status.h"

namespace memory3 {

struct GraphParameters {
  int links = 32;              // M: per vector and level, twice as many on the lowest; [2, 256]
  int build_candidates = 200;  // efConstruction: breadth of the search for neighbours; [1, 65535]
  uint64_t seed = 100;         // of the levels
};

// InvalidArgument naming the parameter that is out of range.
absl::Status CheckParameters(const GraphParameters& parameters);

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_GRAPH_PARAMETERS_H_
