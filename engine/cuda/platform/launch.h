// Launch(stream, shape, kernel, arguments...): enqueues a kernel, what CUDA writes as <<<>>>.
//
// Arguments are copied at the call, as CUDA does, also into a graph.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_H_

#include <cstdint>
#include <type_traits>

#include "engine/cuda/platform/launch_shape.h"
#include "engine/cuda/platform/runtime.h"

#ifndef __CUDACC__
#include "engine/cuda/host/executor.h"
#endif

namespace memory3::cuda {

#ifdef __CUDACC__

template <typename... Parameters>
void Launch(Stream& stream, const LaunchShape& shape, void (*kernel)(Parameters...),
            const std::type_identity_t<Parameters>&... arguments) {
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
  LaunchKernel(stream, shape, reinterpret_cast<const void*>(kernel), pointers);
}

#else

template <typename... Parameters>
void Launch(Stream& stream, const LaunchShape& shape, void (*kernel)(Parameters...),
            const std::type_identity_t<Parameters>&... arguments) {
  const host::Shape host_shape = {{shape.grid.x, shape.grid.y, shape.grid.z},
                                  shape.threads,
                                  shape.shared_bytes,
                                  shape.overlaps};
  host::NoteLaunch(stream, shape.overlaps);
  host::Enqueue(stream, [=] { host::RunKernel(host_shape, [&] { kernel(arguments...); }); });
}

#endif

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_LAUNCH_H_
