// Memory, streams, events and graphs of a device: the part of the CUDA runtime that the CUDA engine
// uses, and its only seam to it.
//
// There are two implementations. cuda_runtime.cc calls the CUDA runtime. host/host_runtime.cc has
// the same meaning in host memory, so that kernels and the runner are tested on machines without a
// GPU; a program links one or the other. Work is enqueued in order on a stream and runs
// asynchronously; streams order themselves against each other by events alone.
//
// Errors of enqueued work stick to the stream and come out of the next Synchronize, so that the
// decode path needs no check per call. Thread safety: one thread (the engine's) uses them.
#ifndef MEMORY3_ENGINE_CUDA_PLATFORM_RUNTIME_H_
#define MEMORY3_ENGINE_CUDA_PLATFORM_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace memory3::cuda {

// Bytes with an owner: device memory, or page-locked host memory that copies run from at full
// speed. Not initialised. Move-only.
class Buffer {
 public:
  enum class Kind : uint8_t { kDevice, kPinned };

  Buffer() = default;
  // ResourceExhausted, with the size, when there is not that much.
  static absl::StatusOr<Buffer> Allocate(Kind kind, int64_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  template <typename T = void>
  T* data() const {
    return static_cast<T*>(data_);
  }
  int64_t bytes() const { return bytes_; }

 private:
  Kind kind_ = Kind::kDevice;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

class Event;

class Stream {
 public:
  struct Native;  // of the implementation

  static absl::StatusOr<Stream> Create();
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  // The memory must stay as it is until the copy has run.
  void CopyToDevice(void* device, const void* host, int64_t bytes);
  void CopyToHost(void* host, const void* device, int64_t bytes);
  void CopyOnDevice(void* to, const void* from, int64_t bytes);
  void Fill(void* device, uint8_t value, int64_t bytes);

  // Lets kernels launched with LaunchShape::overlaps from now on begin while the kernel before them
  // still runs: they start up, and read what no kernel writes, in its shadow. Off at first; ignored
  // by devices before sm_90 and drivers before CUDA 12.3.
  void OverlapKernels(bool on);

  // What is enqueued here from now on runs after all that was enqueued before `event` was recorded.
  // An event that was never recorded is no obstacle.
  void Wait(const Event& event);
  // Until all that was enqueued has run; the first error since the last call.
  absl::Status Synchronize();
  // The same for what was enqueued here before `event` was recorded.
  absl::Status Synchronize(const Event& event);

  Native& native() { return *native_; }

 private:
  explicit Stream(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

class Event {
 public:
  struct Native;

  static absl::StatusOr<Event> Create();
  ~Event();
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;

  // Marks the end of what `stream` was given so far; forgets an earlier mark.
  void Record(Stream& stream);
  // Whether all up to the mark has run; true when never recorded. Does not wait.
  bool Done() const;
  absl::Status Synchronize() const;

  Native& native() const { return *native_; }

 private:
  explicit Event(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

// A sequence of launches and copies with their arguments, replayed as one.
class Graph {
 public:
  struct Native;

  // Records what `body` enqueues on `stream`, without running it. Body may launch kernels, multiply
  // and copy on that stream; it may not allocate, synchronise or use another stream.
  static absl::StatusOr<Graph> Capture(Stream& stream, absl::FunctionRef<void()> body);
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  void Launch(Stream& stream);

 private:
  explicit Graph(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

// "NVIDIA H100 80GB HBM3".
absl::StatusOr<std::string> DeviceName();

// Bytes of device memory that can still be allocated.
absl::StatusOr<int64_t> FreeDeviceBytes();

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_PLATFORM_RUNTIME_H_
