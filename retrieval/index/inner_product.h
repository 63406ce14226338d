// The inner product of two vectors, with the same bits on every machine: each instruction set adds
// in the same order, and none fuses.
#ifndef MEMORY3_RETRIEVAL_INDEX_INNER_PRODUCT_H_
#define MEMORY3_RETRIEVAL_INDEX_INNER_PRODUCT_H_

#include <vector>

#include "absl/types/span.h"

namespace memory3 {

using InnerProductFn = float (*)(const float* a, const float* b, int count);

// The fastest that this processor can run.
InnerProductFn BestInnerProduct();
// All that this processor can run, for tests.
std::vector<InnerProductFn> UsableInnerProducts();

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_INDEX_INNER_PRODUCT_H_
