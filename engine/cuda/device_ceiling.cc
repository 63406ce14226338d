#include "engine/cuda/device_ceiling.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/cuda_runner.h"
#include "engine/cuda/dense_product.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3 {
namespace {

using cuda::BFloat16;
using cuda::Buffer;
using cuda::Stream;

constexpr int kPasses = 5;
constexpr int kRepeats = 10;  // of one pass
constexpr int64_t kCopyBytes = int64_t{512} << 20;
constexpr int32_t kSide = 8192;  // of the product's matrices
constexpr int64_t kRandomBytes = int64_t{32} << 20;

// The shortest of some passes, in seconds per call of `enqueue`.
absl::StatusOr<double> BestTime(Stream& stream, absl::FunctionRef<void()> enqueue) {
  absl::Duration best = absl::InfiniteDuration();
  for (int pass = 0; pass <= kPasses; ++pass) {
    const absl::Time begin = absl::Now();
    for (int i = 0; i < kRepeats; ++i) enqueue();
    M3_RETURN_IF_ERROR(stream.Synchronize());
    if (pass > 0) best = std::min(best, absl::Now() - begin);  // the first one warms up
  }
  return absl::ToDoubleSeconds(best) / kRepeats;
}

// Fills a buffer with random numbers of magnitude [0.5, 1), a piece of them over and over. Products
// of constants take less power, and a clock that is bound by power runs faster: no fair yardstick.
absl::Status FillWithNumbers(Stream& stream, const Buffer& buffer) {
  M3_ASSIGN_OR_RETURN(const Buffer piece, Buffer::Allocate(Buffer::Kind::kPinned, kRandomBytes));
  std::mt19937 random;  // the same numbers everywhere
  auto* const words = piece.data<uint32_t>();
  for (int64_t i = 0; i < kRandomBytes / 4; ++i) words[i] = (random() & 0x807F807Fu) | 0x3F003F00u;
  for (int64_t begin = 0; begin < buffer.bytes(); begin += kRandomBytes) {
    stream.CopyToDevice(buffer.data<char>() + begin, piece.data(),
                        std::min(kRandomBytes, buffer.bytes() - begin));
  }
  return stream.Synchronize();
}

}  // namespace

absl::StatusOr<DeviceCeiling> MeasureDeviceCeiling() {
  M3_RETURN_IF_ERROR(CudaAvailable());
  M3_ASSIGN_OR_RETURN(Stream stream, Stream::Create());
  M3_ASSIGN_OR_RETURN(const Buffer from, Buffer::Allocate(Buffer::Kind::kDevice, kCopyBytes));
  M3_ASSIGN_OR_RETURN(const Buffer to, Buffer::Allocate(Buffer::Kind::kDevice, kCopyBytes));
  M3_RETURN_IF_ERROR(FillWithNumbers(stream, from));
  M3_ASSIGN_OR_RETURN(const double copy, BestTime(stream, [&] {
                        stream.CopyOnDevice(to.data(), from.data(), kCopyBytes);
                      }));

  constexpr int64_t kMatrix = int64_t{kSide} * kSide;
  static_assert(3 * kMatrix * sizeof(BFloat16) <= 2 * kCopyBytes);
  M3_ASSIGN_OR_RETURN(cuda::DenseProduct product, cuda::DenseProduct::Create());
  auto* const x = from.data<BFloat16>();
  const cuda::ProductArgs<BFloat16, BFloat16> args = {.x = x,
                                                      .w = x + kMatrix,
                                                      .y = to.data<BFloat16>(),
                                                      .rows = kSide,
                                                      .inputs = kSide,
                                                      .outputs = kSide};
  M3_RETURN_IF_ERROR(product.Prepare(args));
  M3_ASSIGN_OR_RETURN(const double multiply,
                      BestTime(stream, [&] { product.Multiply(stream, args); }));
  return DeviceCeiling{2 * static_cast<double>(kCopyBytes) / copy,
                       2 * static_cast<double>(kMatrix) * kSide / multiply};
}

}  // namespace memory3
