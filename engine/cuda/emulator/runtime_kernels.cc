// Kernels: registered by what nvcc adds to objects, launched.
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/fat_binary.h"
#include "engine/cuda/emulator/launch.h"
#include "engine/cuda/emulator/runtime.h"

namespace memory3::cuda::emulator {
namespace {

constexpr int kMostSharedBytes = 227 * 1024;

}  // namespace

// Of the library only these are seen from outside.
#pragma GCC visibility push(default)
extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the names that nvcc calls.
void** __cudaRegisterFatBinary(void* wrapper) {
  const Call call;
  absl::StatusOr<std::string> text = PtxOf(wrapper);
  if (!text.ok()) Fail(text.status().message());
  TheRuntime().modules.push_back(std::make_unique<Module>(*text));
  return reinterpret_cast<void**>(TheRuntime().modules.back().get());
}
void __cudaRegisterFatBinaryEnd(void** /*module*/) {}
void __cudaUnregisterFatBinary(void** /*module*/) {}
void __cudaRegisterFunction(void** module, const char* host_function, char* /*device_function*/,
                            const char* name, int /*thread_limit*/, uint3* /*thread*/,
                            uint3* /*block*/, dim3* /*block_size*/, dim3* /*grid*/,
                            int* /*warp_size*/) {
  const Call call;
  TheRuntime().kernels[host_function] = {reinterpret_cast<Module*>(module), name};
}
// Behind <<<>>>, which this project does not use.
cudaError_t __cudaGetKernel(cudaKernel_t* /*kernel*/, const void* /*function*/) {
  return cudaErrorNotSupported;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t /*kernel*/, dim3 /*grid*/, dim3 /*block*/,
                               void** /*arguments*/, size_t /*shared*/, cudaStream_t /*stream*/) {
  return cudaErrorNotSupported;
}
cudaError_t __cudaPopCallConfiguration(dim3* /*grid*/, dim3* /*block*/, size_t* /*shared*/,
                                       void* /*stream*/) {
  return cudaErrorNotSupported;
}
// NOLINTEND(bugprone-reserved-identifier)

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  const Call call;
  const auto found = TheRuntime().kernels.find(function);
  if (found == TheRuntime().kernels.end()) {
    return Error(cudaErrorInvalidDeviceFunction, "cudaFuncSetAttribute");
  }
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value > kMostSharedBytes) {
    return Error(cudaErrorInvalidValue, "cudaFuncSetAttribute");
  }
  found->second.most_shared_bytes = value;
  return cudaSuccess;
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function,
                                void** arguments) {
  const Call call;
  if (!IsStream(config->stream)) {
    return Error(cudaErrorInvalidResourceHandle, "cudaLaunchKernelExC");
  }
  const auto kernel = TheRuntime().kernels.find(function);
  const Function* const code = kernel == TheRuntime().kernels.end()
                                   ? nullptr
                                   : kernel->second.module->Find(kernel->second.name);
  if (code == nullptr) return Error(cudaErrorInvalidDeviceFunction, "cudaLaunchKernelExC");
  const dim3 grid = config->gridDim;
  const dim3 block = config->blockDim;
  constexpr uint32_t kMostBlocks = 65535;  // in y and z
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > kMostBlocks || grid.z > kMostBlocks ||
      block.x == 0 || block.y != 1 || block.z != 1 ||
      static_cast<int>(block.x) > code->most_threads ||
      static_cast<int>(config->dynamicSmemBytes) > kernel->second.most_shared_bytes) {
    return Error(cudaErrorInvalidConfiguration, code->name.c_str());
  }
  auto launch = std::make_shared<Launch>();
  launch->function = code;
  launch->grid = {grid.x, grid.y, grid.z};
  launch->threads = block.x;
  launch->shared_bytes = static_cast<int>(config->dynamicSmemBytes);
  for (unsigned int i = 0; i < config->numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = config->attrs[i];
    launch->overlaps |= attribute.id == cudaLaunchAttributeProgrammaticStreamSerialization &&
                        attribute.val.programmaticStreamSerializationAllowed != 0;
  }
  launch->parameters.resize(code->parameter_bytes);
  for (size_t i = 0; i < code->parameters.size(); ++i) {
    std::memcpy(launch->parameters.data() + code->parameters[i].offset, arguments[i],
                code->parameters[i].bytes);
  }
  launch->counters = CountersOf(code->name);
  config->stream->stream->Add({.kernel = std::move(launch)});
  return cudaSuccess;
}

}  // extern "C"
#pragma GCC visibility pop

}  // namespace memory3::cuda::emulator
