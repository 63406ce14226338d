// The runtime seam on CUDA.
#include <cuda_runtime_api.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/cuda/platform/cuda_native.h"
#include "engine/cuda/platform/launch_shape.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {
namespace {

// Shared memory that a kernel may use without asking.
constexpr int kPlainSharedBytes = 48 * 1024;

// Kernels overlap (programmatic dependent launch) from sm_90 on; graphs record it since CUDA 12.3.
bool CanOverlapKernels() {
  constexpr int kFirstMajor = 9, kFirstVersion = 12030;
  int device = 0;
  int major = 0;
  int driver = 0;
  return CUDART_VERSION >= kFirstVersion && cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         cudaDriverGetVersion(&driver) == cudaSuccess && major >= kFirstMajor &&
         driver >= kFirstVersion;
}

}  // namespace

absl::Status ToStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string message = absl::StrCat("CUDA: ", what, ": ", cudaGetErrorString(error));
  if (error == cudaErrorMemoryAllocation) return absl::ResourceExhaustedError(message);
  return absl::InternalError(message);
}

struct Event::Native {
  cudaEvent_t event = nullptr;
  ~Native() {
    if (event != nullptr) cudaEventDestroy(event);
  }
};

struct Graph::Native {
  cudaGraphExec_t graph = nullptr;
  ~Native() {
    if (graph != nullptr) cudaGraphExecDestroy(graph);
  }
};

absl::StatusOr<Buffer> Buffer::Allocate(Kind kind, int64_t bytes) {
  Buffer buffer;
  buffer.kind_ = kind;
  buffer.bytes_ = bytes;
  if (bytes == 0) return buffer;
  const cudaError_t error = kind == Kind::kDevice ? cudaMalloc(&buffer.data_, bytes)
                                                  : cudaMallocHost(&buffer.data_, bytes);
  if (error == cudaSuccess) return buffer;
  buffer.data_ = nullptr;
  cudaGetLastError();  // an allocation that failed is no fault of later calls
  return ToStatus(error, absl::StrCat("allocating ", bytes, " bytes of ",
                                      kind == Kind::kDevice ? "device" : "pinned host", " memory")
                             .c_str());
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (kind_ == Kind::kDevice) {
    cudaFree(data_);
  } else {
    cudaFreeHost(data_);
  }
}

Stream::Native::~Native() {
  if (stream != nullptr) cudaStreamDestroy(stream);
}

Stream::Stream(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

absl::StatusOr<Stream> Stream::Create() {
  auto native = std::make_unique<Native>();
  M3_RETURN_IF_ERROR(ToStatus(cudaStreamCreateWithFlags(&native->stream, cudaStreamNonBlocking),
                              "creating a stream"));
  return Stream(std::move(native));
}

void Stream::CopyToDevice(void* device, const void* host, int64_t bytes) {
  native_->Keep(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, native_->stream),
                "copying to the device");
}
void Stream::CopyToHost(void* host, const void* device, int64_t bytes) {
  native_->Keep(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, native_->stream),
                "copying to the host");
}
void Stream::CopyOnDevice(void* to, const void* from, int64_t bytes) {
  native_->Keep(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native_->stream),
                "copying on the device");
}
void Stream::Fill(void* device, uint8_t value, int64_t bytes) {
  native_->Keep(cudaMemsetAsync(device, value, bytes, native_->stream), "filling device memory");
}

void Stream::OverlapKernels(bool on) { native_->overlaps_kernels = on && CanOverlapKernels(); }

void Stream::Wait(const Event& event) {
  native_->Keep(cudaStreamWaitEvent(native_->stream, event.native().event, 0),
                "waiting for an event");
}

absl::Status Stream::Synchronize() {
  native_->Keep(cudaStreamSynchronize(native_->stream), "running a step");
  return std::exchange(native_->status, absl::OkStatus());
}

absl::Status Stream::Synchronize(const Event& event) {
  native_->Keep(cudaEventSynchronize(event.native().event), "running a step");
  return std::exchange(native_->status, absl::OkStatus());
}

Event::Event(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;
Event::~Event() = default;

absl::StatusOr<Event> Event::Create() {
  auto native = std::make_unique<Native>();
  M3_RETURN_IF_ERROR(ToStatus(cudaEventCreateWithFlags(&native->event, cudaEventDisableTiming),
                              "creating an event"));
  return Event(std::move(native));
}

void Event::Record(Stream& stream) {
  stream.native().Keep(cudaEventRecord(native_->event, stream.native().stream),
                       "recording an event");
}
bool Event::Done() const { return cudaEventQuery(native_->event) != cudaErrorNotReady; }
absl::Status Event::Synchronize() const {
  return ToStatus(cudaEventSynchronize(native_->event), "waiting for an event");
}

Graph::Graph(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;
Graph::~Graph() = default;

absl::StatusOr<Graph> Graph::Capture(Stream& stream, absl::FunctionRef<void()> body) {
  cudaStream_t native_stream = stream.native().stream;
  M3_RETURN_IF_ERROR(
      ToStatus(cudaStreamBeginCapture(native_stream, cudaStreamCaptureModeThreadLocal),
               "beginning a graph"));
  body();
  cudaGraph_t recorded = nullptr;
  absl::Status ended = ToStatus(cudaStreamEndCapture(native_stream, &recorded), "ending a graph");
  // What the body could not do is why the graph could not be ended.
  absl::Status status = std::exchange(stream.native().status, absl::OkStatus());
  if (status.ok()) status = std::move(ended);
  auto native = std::make_unique<Native>();
  if (status.ok()) {
    status = ToStatus(cudaGraphInstantiate(&native->graph, recorded, 0), "instantiating a graph");
  }
  if (recorded != nullptr) cudaGraphDestroy(recorded);
  M3_RETURN_IF_ERROR(status);
  return Graph(std::move(native));
}

void Graph::Launch(Stream& stream) {
  stream.native().Keep(cudaGraphLaunch(native_->graph, stream.native().stream),
                       "launching a graph");
}

absl::StatusOr<std::string> DeviceName() {
  int device = 0;
  cudaDeviceProp properties;
  M3_RETURN_IF_ERROR(ToStatus(cudaGetDevice(&device), "asking for the device"));
  M3_RETURN_IF_ERROR(
      ToStatus(cudaGetDeviceProperties(&properties, device), "reading device properties"));
  return std::string(properties.name);
}

absl::StatusOr<int64_t> FreeDeviceBytes() {
  size_t free_bytes = 0;
  size_t total = 0;
  M3_RETURN_IF_ERROR(ToStatus(cudaMemGetInfo(&free_bytes, &total), "asking for free memory"));
  return static_cast<int64_t>(free_bytes);
}

void LaunchKernel(Stream& stream, const LaunchShape& shape, const void* kernel, void** arguments) {
  Stream::Native& native = stream.native();
  if (shape.shared_bytes > kPlainSharedBytes) {
    native.Keep(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     shape.shared_bytes),
                "asking for shared memory");
  }
  cudaLaunchAttribute overlap = {};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.grid.x, shape.grid.y, shape.grid.z);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = native.stream;
  config.attrs = &overlap;
  config.numAttrs = shape.overlaps && native.overlaps_kernels ? 1 : 0;
  native.Keep(cudaLaunchKernelExC(&config, kernel, arguments), "launching a kernel");
}

}  // namespace memory3::cuda
