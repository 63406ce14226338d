// The state behind the functions of the CUDA runtime (runtime_*.cc), which are those that this
// project calls. A program that is linked to this library before the runtime's own runs here what
// it would run on a device: the same objects, the kernels as nvcc compiled them.
//
// Errors are those of the CUDA runtime, where programs can make them: wrong pointers, calls that
// may not be captured. One lock guards all.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_RUNTIME_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_RUNTIME_H_

#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/cuda/emulator/ptx_module.h"
#include "engine/cuda/emulator/stream.h"

// What the runtime's opaque pointers point to.
struct CUstream_st {
  std::shared_ptr<memory3::cuda::emulator::Stream> stream =
      std::make_shared<memory3::cuda::emulator::Stream>();
};
struct CUevent_st {
  memory3::cuda::emulator::Event event;
  bool captured = false;  // marks a place in a graph
};
struct CUgraph_st {
  std::vector<memory3::cuda::emulator::Operation> operations;
};
struct CUgraphExec_st {
  std::vector<memory3::cuda::emulator::Operation> operations;
};

namespace memory3::cuda::emulator {

inline constexpr int kPlainSharedBytes = 48 * 1024;

struct Kernel {
  Module* module = nullptr;
  std::string name;
  int most_shared_bytes = kPlainSharedBytes;
};

struct Runtime {
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<Module>> modules;
  std::map<const void*, Kernel> kernels;  // by the function that stands for them on the host
  std::set<cudaStream_t> streams;
  cudaStream_t capturing = nullptr;
  bool capture_is_valid = true;
  cudaError_t last_error = cudaSuccess;
};

// Never destroyed: modules are registered before main, memory is freed after it.
Runtime& TheRuntime();

// Every function holds it.
class Call {
 public:
  Call() : lock_(TheRuntime().mutex) {}

 private:
  const std::lock_guard<std::recursive_mutex> lock_;
};

// Prints and remembers an error.
cudaError_t Error(cudaError_t error, const char* what);

inline bool IsStream(cudaStream_t stream) { return TheRuntime().streams.contains(stream); }

// Whether no graph is captured; if one is, it is spoilt.
bool MayDisturb();

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_RUNTIME_H_
