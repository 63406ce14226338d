// Decode steps as graphs: one for each padded number of rows and each bound of the context.
#ifndef MEMORY3_ENGINE_CUDA_DECODE_GRAPHS_H_
#define MEMORY3_ENGINE_CUDA_DECODE_GRAPHS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {

// A decode step that a graph exists for.
struct DecodeSize {
  int rows = 0;     // padding included
  int context = 0;  // no row sees more tokens
};

// All sizes for steps of up to `max_rows` rows and `max_context` tokens. A step pays for the rows
// it is padded with, and attention starts (though it does not run) a block for every part of the
// context bound; both grow in steps so that little is wasted and few graphs are needed.
std::vector<DecodeSize> DecodeSizes(int max_rows, int max_context);

class DecodeGraphs {
 public:
  // Runs enqueue(size) once as it is and captures it once, for every size. `prepare` makes a step
  // of that size, of padding alone, the current one.
  absl::Status Capture(Stream& stream, std::vector<DecodeSize> sizes,
                       absl::FunctionRef<absl::Status(const DecodeSize&)> prepare,
                       absl::FunctionRef<void(const DecodeSize&)> enqueue);

  // Index of the smallest size that holds such a step, or -1.
  int Find(int rows, int context) const;
  const DecodeSize& size(int index) const { return sizes_[index]; }
  void Launch(int index, Stream& stream) { graphs_[index].Launch(stream); }

 private:
  std::vector<DecodeSize> sizes_;  // by rows, then context
  std::vector<Graph> graphs_;
};

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_DECODE_GRAPHS_H_
