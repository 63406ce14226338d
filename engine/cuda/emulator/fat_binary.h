// The PTX in what nvcc puts into an object file.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_FAT_BINARY_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_FAT_BINARY_H_

#include <string>

#include "absl/status/statusor.h"

namespace memory3::cuda::emulator {

// `wrapper`: what __cudaRegisterFatBinary is given. The text for the highest architecture. NotFound
// when there is none, Unimplemented when it is compressed in a way that is not Zstandard, DataLoss
// when it is not what it says.
absl::StatusOr<std::string> PtxOf(const void* wrapper);

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_FAT_BINARY_H_
