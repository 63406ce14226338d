// The runtime seam in host memory: streams are queues of closures.
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/cuda/host/executor.h"
#include "engine/cuda/platform/runtime.h"

namespace memory3::cuda {
namespace {

constexpr size_t kAlignment = 256;  // as cudaMalloc's

// Thread-local: tests that run side by side in one process do not meet.
thread_local host::StreamOrder stream_order = host::StreamOrder::kEager;
thread_local int64_t buffer_allocations = 0;
thread_local int64_t overlapping_launches = 0;

// Nothing may be copied from nowhere, as on the device.
void CopyBytes(void* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace

struct Stream::Native {
  std::deque<std::function<void()>> waiting;
  uint64_t enqueued = 0;
  uint64_t run = 0;
  std::vector<std::function<void()>>* capture = nullptr;
  bool overlaps_kernels = false;

  void RunUpTo(uint64_t mark) {
    while (run < mark) {
      const std::function<void()> operation = std::move(waiting.front());
      waiting.pop_front();
      operation();
      ++run;
    }
  }

  void Add(std::function<void()> operation) {
    if (capture != nullptr) {
      capture->push_back(std::move(operation));
      return;
    }
    waiting.push_back(std::move(operation));
    ++enqueued;
    if (stream_order == host::StreamOrder::kEager) RunUpTo(enqueued);
  }
};

struct Event::Native {
  Stream::Native* stream = nullptr;
  uint64_t mark = 0;
};

struct Graph::Native {
  std::vector<std::function<void()>> operations;
};

absl::StatusOr<Buffer> Buffer::Allocate(Kind kind, int64_t bytes) {
  Buffer buffer;
  buffer.kind_ = kind;
  buffer.bytes_ = bytes;
  if (bytes == 0) return buffer;
  ++buffer_allocations;
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  buffer.data_ = std::aligned_alloc(kAlignment, rounded);
  if (buffer.data_ == nullptr) return absl::ResourceExhaustedError("out of memory");
  std::memset(buffer.data_, 0xFF, rounded);  // NaN: nobody may count on zeros
  return buffer;
}

Buffer::~Buffer() { std::free(data_); }

Stream::Stream(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

absl::StatusOr<Stream> Stream::Create() { return Stream(std::make_unique<Native>()); }

void Stream::CopyToDevice(void* device, const void* host, int64_t bytes) {
  native_->Add([=] { CopyBytes(device, host, bytes); });
}
void Stream::CopyToHost(void* host, const void* device, int64_t bytes) {
  native_->Add([=] { CopyBytes(host, device, bytes); });
}
void Stream::CopyOnDevice(void* to, const void* from, int64_t bytes) {
  native_->Add([=] { CopyBytes(to, from, bytes); });
}
void Stream::Fill(void* device, uint8_t value, int64_t bytes) {
  native_->Add([=] { std::memset(device, value, bytes); });
}

void Stream::OverlapKernels(bool on) { native_->overlaps_kernels = on; }

void Stream::Wait(const Event& event) {
  M3_CHECK(native_->capture == nullptr);
  const Event::Native mark = event.native();
  if (mark.stream == nullptr) return;
  native_->Add([mark] { mark.stream->RunUpTo(mark.mark); });
}

absl::Status Stream::Synchronize() {
  M3_CHECK(native_->capture == nullptr);
  native_->RunUpTo(native_->enqueued);
  return absl::OkStatus();
}

absl::Status Stream::Synchronize(const Event& event) {
  M3_CHECK(native_->capture == nullptr);
  return event.Synchronize();
}

Event::Event(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;
Event::~Event() = default;

absl::StatusOr<Event> Event::Create() { return Event(std::make_unique<Native>()); }

void Event::Record(Stream& stream) {
  native_->stream = &stream.native();
  native_->mark = stream.native().enqueued;
}
bool Event::Done() const {
  return native_->stream == nullptr || native_->stream->run >= native_->mark;
}
absl::Status Event::Synchronize() const {
  if (native_->stream != nullptr) native_->stream->RunUpTo(native_->mark);
  return absl::OkStatus();
}

Graph::Graph(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;
Graph::~Graph() = default;

absl::StatusOr<Graph> Graph::Capture(Stream& stream, absl::FunctionRef<void()> body) {
  auto native = std::make_unique<Native>();
  stream.native().capture = &native->operations;
  body();
  stream.native().capture = nullptr;
  return Graph(std::move(native));
}

void Graph::Launch(Stream& stream) {
  for (const std::function<void()>& operation : native_->operations) stream.native().Add(operation);
}

absl::StatusOr<std::string> DeviceName() { return std::string("kernels on the host"); }

absl::StatusOr<int64_t> FreeDeviceBytes() { return std::numeric_limits<int64_t>::max(); }

void host::Enqueue(Stream& stream, std::function<void()> operation) {
  stream.native().Add(std::move(operation));
}
void host::NoteLaunch(Stream& stream, bool overlaps) {
  if (overlaps && stream.native().overlaps_kernels) ++overlapping_launches;
}
int64_t host::OverlappingLaunches() { return overlapping_launches; }
int64_t host::BufferAllocations() { return buffer_allocations; }
void host::SetStreamOrder(StreamOrder order) { stream_order = order; }

}  // namespace memory3::cuda
