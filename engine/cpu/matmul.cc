#include "engine/cpu/matmul.h"

#include <algorithm>
#include <atomic>

#include "engine/base/check.h"
#include "engine/cpu/matmul_kernels.h"
#include "engine/cpu/packed_layout.h"

namespace memory3 {
namespace {

// Tiles of rows that a thread takes through a panel together: their sums stay on its stack.
constexpr int64_t kGroupTiles = 20;
// Measured on Zen 4: up to this many rows, asking ahead makes the reads slower.
constexpr int64_t kRowsPrefetchersServe = 4;
// Closer than this, a line would be asked for too late.
constexpr int64_t kFetchAheadBytes = 16384;

struct Product {
  const PackedMatrix& w;
  const PackedInput& x;
  const float* bias;
  bool accumulate;
  float* y;
  int64_t y_stride;
};

// Calls of a kernel that one tile of the inputs takes.
int PassesOf(const Range& rows, int tile_rows) {
  return static_cast<int>(DivideUp(rows.end - rows.begin, tile_rows));
}

// bias and residual are added after the sum over the inputs is complete, whatever the number of
// rows.
void Finish(const Product& p, const float* tile, int64_t first_output, int64_t first_row,
            int64_t rows) {
  const int64_t columns = std::min<int64_t>(kPanelOutputs, p.w.outputs() - first_output);
  for (int64_t row = 0; row < rows; ++row) {
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

struct TileGroup {
  int64_t begin, end;
};

// What a block fetches while it runs. With few rows the processor's own prefetchers keep up. With
// more they fall behind the arithmetic between two reads, so a single pass asks for its weights
// well ahead. With several passes, each fetches its share of the block that comes next, so that
// memory is read all the time and not only while the first one runs.
void PlanFetch(int64_t rows, int passes, MatMulTile* tile) {
  if (rows <= kRowsPrefetchersServe) return;
  // Panels follow each other in memory, and so do their blocks: the next one, or nearly always.
  tile->next = tile->weights + (passes == 1 ? kFetchAheadBytes : tile->chunks * kChunkBytes);
  tile->next_step = kStepBytes / passes;
}

// One block of a panel's chunks times all rows of the group.
void MultiplyBlock(const Product& p, const MatMulKernel& kernel, const TileGroup& group,
                   int64_t panel, int64_t first_chunk, float* sums) {
  const int64_t all_chunks = PackedChunks(p.w.inputs(), p.w.dtype());
  const int64_t rows = p.x.rows();
  MatMulTile tile = {};
  tile.weights = p.w.data() + (panel * all_chunks + first_chunk) * kChunkBytes;
  tile.chunks = std::min(kernel.block_chunks, all_chunks - first_chunk);
  tile.add = first_chunk != 0;
  int passes = 0;
  for (int64_t t = group.begin; t < group.end; ++t) {
    passes += PassesOf(RowsOfTile(rows, t), kernel.tile_rows);
  }
  PlanFetch(rows, passes, &tile);
  for (int64_t t = group.begin; t < group.end; ++t) {
    const Range of_tile = RowsOfTile(rows, t);
    const int64_t height = of_tile.end - of_tile.begin;
    const uint8_t* x =
        p.x.data() + (of_tile.begin * all_chunks + first_chunk * height) * kCacheLineBytes;
    tile.x_chunk_stride = height * kCacheLineBytes;
    const int parts = PassesOf(of_tile, kernel.tile_rows);
    for (int part = 0; part < parts; ++part) {
      const Range share = ShareOf(height, part, parts);
      tile.x = x + share.begin * kCacheLineBytes;
      tile.sums = sums;
      kernel.run(tile, static_cast<int>(share.end - share.begin));
      sums += (share.end - share.begin) * kPanelOutputs;
      tile.next += tile.chunks * kChunkSteps * tile.next_step;
    }
  }
}

void MultiplyPanel(const Product& p, const MatMulKernel& kernel, int64_t panel) {
  alignas(kCacheLineBytes) float sums[kGroupTiles * kInputTileRows * kPanelOutputs];
  const int64_t chunks = PackedChunks(p.w.inputs(), p.w.dtype());
  const int64_t rows = p.x.rows(), tiles = InputTiles(rows);
  for (int64_t begin = 0; begin < tiles; begin += kGroupTiles) {
    const TileGroup group = {begin, std::min(begin + kGroupTiles, tiles)};
    for (int64_t chunk = 0; chunk < chunks; chunk += kernel.block_chunks) {
      MultiplyBlock(p, kernel, group, panel, chunk, sums);
    }
    const int64_t first_row = RowsOfTile(rows, group.begin).begin;
    const int64_t end_row = RowsOfTile(rows, group.end - 1).end;
    Finish(p, sums, panel * kPanelOutputs, first_row, end_row - first_row);
  }
}

// Takes the next run of panels for a thread: long ones first, which stream well, and single ones
// at the end, so that a thread that lost its core for a while holds nobody up.
Range TakePanels(std::atomic<int64_t>& next, int64_t panels, int threads) {
  int64_t begin = next.load(std::memory_order_relaxed);
  while (begin < panels) {
    const int64_t count = std::max<int64_t>(1, (panels - begin) / (2 * threads));
    if (next.compare_exchange_weak(begin, begin + count, std::memory_order_relaxed)) {
      return {begin, begin + count};
    }
  }
  return {panels, panels};
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
  M3_CHECK(x.inputs() == w.inputs() && x.dtype() == w.dtype());
  const MatMulKernels& kernels = MatMulKernelsFor(w.isa());
  const MatMulKernel& kernel = w.dtype() == DType::kBF16 ? kernels.bf16 : kernels.f32;
  const Product product = {w, x, bias, accumulate, y, y_stride};
  const int64_t panels = DivideUp(w.outputs(), kPanelOutputs);
  std::atomic<int64_t> next{0};
  pool.Run([&](int, int threads) {
    while (true) {
      const Range share = TakePanels(next, panels, threads);
      if (share.begin == share.end) break;
      for (int64_t panel = share.begin; panel < share.end; ++panel) {
        MultiplyPanel(product, kernel, panel);
      }
    }
  });
}

}  // namespace memory3
