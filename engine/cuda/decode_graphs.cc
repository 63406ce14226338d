#include "engine/cuda/decode_graphs.h"

#include <algorithm>

namespace memory3::cuda {
namespace {

// 1, 2, 4, 8, then every 8 rows up to 64, every 16 up to 128, every 32 above; the last is max_rows.
std::vector<int> RowSizes(int max_rows) {
  std::vector<int> sizes;
  int rows = 1;
  while (rows < max_rows) {
    sizes.push_back(rows);
    rows += rows < 8 ? rows : rows < 64 ? 8 : rows < 128 ? 16 : 32;
  }
  sizes.push_back(max_rows);
  return sizes;
}

// 1024, 4096, 16384 ...; the last is max_context.
std::vector<int> ContextSizes(int max_context) {
  constexpr int kFirst = 1024, kGrowth = 4;
  std::vector<int> sizes;
  for (int64_t context = kFirst; context < max_context; context *= kGrowth) {
    sizes.push_back(static_cast<int>(context));
  }
  sizes.push_back(max_context);
  return sizes;
}

}  // namespace

std::vector<DecodeSize> DecodeSizes(int max_rows, int max_context) {
  std::vector<DecodeSize> sizes;
  for (const int rows : RowSizes(max_rows)) {
    for (const int context : ContextSizes(max_context)) sizes.push_back({rows, context});
  }
  return sizes;
}

absl::Status DecodeGraphs::Capture(Stream& stream, std::vector<DecodeSize> sizes,
                                   absl::FunctionRef<absl::Status(const DecodeSize&)> prepare,
                                   absl::FunctionRef<void(const DecodeSize&)> enqueue) {
  sizes_ = std::move(sizes);
  for (const DecodeSize& size : sizes_) {
    M3_RETURN_IF_ERROR(prepare(size));
    // Code is loaded when it first runs, which must not happen while a graph is captured.
    enqueue(size);
    M3_RETURN_IF_ERROR(stream.Synchronize());
    M3_ASSIGN_OR_RETURN(Graph graph, Graph::Capture(stream, [&] { enqueue(size); }));
    graphs_.push_back(std::move(graph));
  }
  return absl::OkStatus();
}

int DecodeGraphs::Find(int rows, int context) const {
  const auto found = std::find_if(sizes_.begin(), sizes_.end(), [&](const DecodeSize& size) {
    return size.rows >= rows && size.context >= context;
  });
  return found == sizes_.end() ? -1 : static_cast<int>(found - sizes_.begin());
}

}  // namespace memory3::cuda
