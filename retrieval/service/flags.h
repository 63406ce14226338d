// The flags of memory3-retrieval.
#ifndef MEMORY3_RETRIEVAL_SERVICE_FLAGS_H_
#define MEMORY3_RETRIEVAL_SERVICE_FLAGS_H_

#include "absl/status/statusor.h"
#include "retrieval/service/options.h"

namespace memory3 {

// InvalidArgument that begins with the flag's name ("--max_queries: ...").
absl::StatusOr<RetrievalOptions> RetrievalOptionsFromFlags();

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_FLAGS_H_
