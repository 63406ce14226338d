// Vectors in memory, wherever they lie: an array of their own or inside the nodes of a graph.
#ifndef MEMORY3_RETRIEVAL_INDEX_VECTOR_TABLE_H_
#define MEMORY3_RETRIEVAL_INDEX_VECTOR_TABLE_H_

#include <cstddef>
#include <cstdint>

namespace memory3 {

// Not owned.
struct VectorTable {
  const char* data = nullptr;
  size_t stride = 0;  // bytes from one vector to the next
  int64_t count = 0;
  int dimensions = 0;

  const float* row(int64_t i) const {
    return reinterpret_cast<const float*>(data + static_cast<size_t>(i) * stride);
  }
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_VECTOR_TABLE_H_
