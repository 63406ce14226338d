// The executor notices what it is there to notice.
#include "engine/cuda/host/executor.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/cuda/platform/kernel.h"
#include "engine/cuda/platform/launch.h"
#include "engine/cuda/platform/tensor_core.h"
#include "tests/unit/cuda/kernel_test_support.h"

namespace memory3::cuda {
namespace {

void ReverseKernel(int* values, bool with_barrier) {
  int* shared = SharedMemory<int>();
  const int i = static_cast<int>(threadIdx.x);
  shared[i] = values[i];
  if (with_barrier) __syncthreads();
  values[i] = shared[static_cast<int>(blockDim.x) - 1 - i];
}

bool Reverses(bool with_barrier) {
  std::vector<int> values(128);
  for (int i = 0; i < 128; ++i) values[i] = i;
  Stream stream = NewStream();
  Launch(stream, {.threads = 128, .shared_bytes = 128 * sizeof(int)}, ReverseKernel, values.data(),
         with_barrier);
  EXPECT_TRUE(stream.Synchronize().ok());
  for (int i = 0; i < 128; ++i) {
    if (values[i] != 127 - i) return false;
  }
  return true;
}

TEST(ExecutorTest, BarrierOrdersThreadsAndItsAbsenceShows) {
  EXPECT_TRUE(Reverses(true));
  EXPECT_FALSE(Reverses(false));
}

void CountKernel(int* counts) {
  atomicAdd(&counts[blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z)], 1);
}

TEST(ExecutorTest, RunsEveryThreadOfEveryBlockOnce) {
  std::vector<int> counts(3 * 2 * 4);
  Stream stream = NewStream();
  Launch(stream, {.grid = {3, 2, 4}, .threads = 77}, CountKernel, counts.data());
  ASSERT_TRUE(stream.Synchronize().ok());
  for (const int count : counts) EXPECT_EQ(count, 77);
}

void SumKernel(float* out) {
  float* scratch = SharedMemory<float>();
  const float sum = BlockSum(static_cast<float>(threadIdx.x), scratch);
  const float largest = BlockMax(static_cast<float>(threadIdx.x), scratch);
  out[2 * threadIdx.x] = sum;
  out[2 * threadIdx.x + 1] = largest;
}

TEST(ExecutorTest, ReductionsReachEveryThread) {
  std::vector<float> out(2 * 96);
  Stream stream = NewStream();
  Launch(stream, {.threads = 96, .shared_bytes = 3 * sizeof(float)}, SumKernel, out.data());
  ASSERT_TRUE(stream.Synchronize().ok());
  for (int i = 0; i < 96; ++i) {
    EXPECT_EQ(out[2 * i], 95 * 96 / 2);
    EXPECT_EQ(out[2 * i + 1], 95);
  }
}

void HalfAWarpKernel() {
  if (threadIdx.x < 16) __syncwarp();
}

TEST(ExecutorDeathTest, WarpFunctionsNeedTheWholeWarp) {
  Stream stream = NewStream();
  EXPECT_DEATH(Launch(stream, {.threads = 32}, HalfAWarpKernel), "not all lanes");
}

void ForgetfulKernel() { LetNextKernelStart(); }
void PatientKernel() { WaitForPreviousKernel(); }

TEST(ExecutorDeathTest, KernelsThatOverlapWait) {
  Stream stream = NewStream();
  stream.OverlapKernels(true);
  Launch(stream, {.threads = 32, .overlaps = true}, PatientKernel);
  EXPECT_TRUE(stream.Synchronize().ok());
  EXPECT_DEATH(Launch(stream, {.threads = 32, .overlaps = true}, ForgetfulKernel), "does not wait");
}

// D = A B for A (16, 16) from shared memory by LoadTiles, B (16, 8) transposed in shared memory as
// (8, 16).
void TileKernel(const BFloat16* a, const BFloat16* b, float* d) {
  auto* shared = SharedMemory<BFloat16>();
  const int lane = Lane();
  CopyAsync16(shared + 8 * lane, a + 8 * lane);
  if (lane < 16) CopyAsync16(shared + 256 + 8 * lane, b + 8 * lane);
  CommitCopies();
  WaitCopies<0>();
  __syncwarp();
  uint32_t tiles_a[4];
  LoadTiles(tiles_a, shared + (lane % 16) * 16 + (lane / 16) * 8);
  uint32_t tiles_b[4];
  LoadTiles(tiles_b, shared + 256 + (lane % 8) * 16 + (lane / 8 % 2) * 8);
  float sums[4] = {0, 0, 0, 0};
  MmaBf16(sums, tiles_a, {tiles_b[0], tiles_b[1]});
  for (int i = 0; i < 4; ++i) d[(lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2] = sums[i];
}

TEST(ExecutorTest, TilesMultiplyMatrices) {
  std::mt19937_64 random(1);
  TestArray<BFloat16> a(16 * 16);
  TestArray<BFloat16> b(8 * 16);
  FillNormal(random, a);
  FillNormal(random, b);
  TestArray<float> d(16 * 8);
  Stream stream = NewStream();
  Launch(stream, {.threads = 32, .shared_bytes = (256 + 128) * 2}, TileKernel, a.device(),
         b.device(), d.device());
  ASSERT_TRUE(stream.Synchronize().ok());
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) {
        sum += ToFloat(a.host[row * 16 + k]) * ToFloat(b.host[column * 16 + k]);
      }
      d.host[row * 8 + column] = sum;
    }
  }
  EXPECT_LE(LargestError(d.Download(), d.host), 1e-5f);
}

TEST(ExecutorTest, LazyStreamsRunAsLateAsEventsAllow) {
  host::SetStreamOrder(host::StreamOrder::kLazy);
  int order = 0;
  int copy_at = 0;
  int compute_at = 0;
  {
    Stream copies = NewStream();
    Stream compute = NewStream();
    absl::StatusOr<Event> copied = Event::Create();
    ASSERT_TRUE(copied.ok());
    host::Enqueue(copies, [&] { copy_at = ++order; });
    copied->Record(copies);
    EXPECT_FALSE(copied->Done());
    compute.Wait(*copied);
    host::Enqueue(compute, [&] { compute_at = ++order; });
    ASSERT_TRUE(compute.Synchronize().ok());
  }
  EXPECT_EQ(copy_at, 1);
  EXPECT_EQ(compute_at, 2);
  host::SetStreamOrder(host::StreamOrder::kEager);
}

TEST(ExecutorTest, GraphReplaysLaunchesWithTheirArguments) {
  std::vector<int> counts(2);
  Stream stream = NewStream();
  absl::StatusOr<Graph> graph = Graph::Capture(
      stream, [&] { Launch(stream, {.grid = {2}, .threads = 5}, CountKernel, counts.data()); });
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(counts[0], 0);
  graph->Launch(stream);
  graph->Launch(stream);
  ASSERT_TRUE(stream.Synchronize().ok());
  EXPECT_EQ(counts[0], 10);
  EXPECT_EQ(counts[1], 10);
}

}  // namespace
}  // namespace memory3::cuda
