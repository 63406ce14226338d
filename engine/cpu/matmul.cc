#include "engine/cpu/matmul.h"

#include <algorithm>
#include <atomic>

#include "engine/base/check.h"
#include "engine/cpu/matmul_kernels.h"
#include "engine/cpu/packed_layout.h"

namespace memory3 {
namespace {

// Panels are handed out in this many pieces per thread, so that a thread that lost its core for a
// while holds nobody up, and yet a piece is long enough to stream.
constexpr int64_t kPiecesPerThread = 6;

struct Product {
  const PackedMatrix& w;
  const PackedInput& x;
  const float* bias;
  bool accumulate;
  float* y;
  int64_t y_stride;
};

// bias and residual are added after the sum over the inputs is complete, whatever the number of
// rows.
void Finish(const Product& p, const float* tile, int64_t first_output, int64_t first_row,
            int rows) {
  const int64_t columns = std::min<int64_t>(kPanelOutputs, p.w.outputs() - first_output);
  for (int row = 0; row < rows; ++row) {
    const float* sums = tile + row * kPanelOutputs;
    float* y = p.y + (first_row + row) * p.y_stride + first_output;
    const float* bias = p.bias == nullptr ? nullptr : p.bias + first_output;
    if (bias == nullptr && p.accumulate) {
      for (int64_t i = 0; i < columns; ++i) y[i] += sums[i];
    } else if (bias == nullptr) {
      std::copy_n(sums, columns, y);
    } else if (p.accumulate) {
      for (int64_t i = 0; i < columns; ++i) y[i] += sums[i] + bias[i];
    } else {
      for (int64_t i = 0; i < columns; ++i) y[i] = sums[i] + bias[i];
    }
  }
}

// One panel times all rows, in tiles of nearly equal height. While a tile runs, its share of the
// next panel is fetched, so that memory is read all the time and not only while the first tile
// runs.
void MultiplyPanel(const Product& p, const MatMulKernels& kernels, int64_t panel,
                   bool prefetch_next) {
  const int64_t panel_bytes = PanelBytes(p.w.inputs(), p.w.dtype());
  const MatMulTileFunction run = p.w.dtype() == DType::kBF16 ? kernels.bf16 : kernels.f32;
  const int64_t rows = p.x.rows();
  const int tiles = static_cast<int>((rows + kernels.tile_rows - 1) / kernels.tile_rows);
  alignas(kCacheLineBytes) float sums[kMaxTileRows * kPanelOutputs];

  MatMulTile tile = {};
  tile.panel = p.w.data() + panel * panel_bytes;
  tile.steps = PackedSteps(p.w.inputs(), p.w.dtype());
  tile.x_stride = p.x.stride_bytes();
  tile.out = sums;
  constexpr int kLinesPerBlock = kUnrolledSteps * kStepBytes / kCacheLineBytes;
  tile.prefetch_lines = prefetch_next ? (kLinesPerBlock + tiles - 1) / tiles : 0;
  const int64_t fetched_per_tile =
      tile.steps / kUnrolledSteps * tile.prefetch_lines * kCacheLineBytes;
  for (int i = 0; i < tiles; ++i) {
    const Range share = ShareOf(rows, i, tiles);
    const int count = static_cast<int>(share.end - share.begin);
    tile.x = p.x.data() + share.begin * p.x.stride_bytes();
    tile.prefetch = tile.panel + panel_bytes + i * fetched_per_tile;
    run(tile, count);
    Finish(p, sums, panel * kPanelOutputs, share.begin, count);
  }
}

}  // namespace

const MatMulKernels& MatMulKernelsFor(CpuIsa isa) {
#if defined(__x86_64__)
  if (isa == CpuIsa::kAvx512Bf16) return kAvx512MatMulKernels;
  if (isa == CpuIsa::kAvx2) return kAvx2MatMulKernels;
#endif
  return kPortableMatMulKernels;
}

void MatMul(ThreadPool& pool, const PackedMatrix& w, const PackedInput& x, const float* bias,
            bool accumulate, float* y, int64_t y_stride) {
  M3_CHECK(x.stride_bytes() == InputStride(w.inputs(), w.dtype()));
  const MatMulKernels& kernels = MatMulKernelsFor(w.isa());
  const Product product = {w, x, bias, accumulate, y, y_stride};
  const int64_t panels = (w.outputs() + kPanelOutputs - 1) / kPanelOutputs;
  const int64_t piece = std::max<int64_t>(1, panels / (pool.threads() * kPiecesPerThread));
  std::atomic<int64_t> next{0};
  pool.Run([&](int, int) {
    for (int64_t begin = next.fetch_add(piece); begin < panels; begin = next.fetch_add(piece)) {
      const int64_t end = std::min(begin + piece, panels);
      for (int64_t panel = begin; panel < end; ++panel) {
        MultiplyPanel(product, kernels, panel, panel + 1 < end);
      }
    }
  });
}

}  // namespace memory3
