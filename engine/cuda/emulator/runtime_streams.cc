// Streams, events and graphs.
#include <utility>
#include <vector>

#include "engine/cuda/emulator/enqueue.h"
#include "engine/cuda/emulator/runtime.h"

namespace memory3::cuda::emulator {

bool Enqueue(cudaStream_t stream, std::function<void()> operation) {
  const Call call;
  if (!IsStream(stream)) return false;
  stream->stream->Add({.run = std::move(operation)});
  return true;
}

// Of the library only these are seen from outside.
#pragma GCC visibility push(default)
extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int /*flags*/) {
  const Call call;
  *stream = new CUstream_st;
  TheRuntime().streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaStreamDestroy");
  stream->stream->RunAll();
  TheRuntime().streams.erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaStreamSynchronize");
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaStreamSynchronize");
  stream->stream->RunAll();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int /*flags*/) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaStreamWaitEvent");
  if (stream->stream->capturing() != event->captured) {
    return Error(cudaErrorStreamCaptureIsolation, "cudaStreamWaitEvent");
  }
  if (event->captured) return cudaSuccess;  // of the one stream that is captured
  const Event place = event->event;
  stream->stream->Add({.run = [place] { place.Run(); }});
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int /*flags*/) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Call call;
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaEventRecord");
  event->captured = stream->stream->capturing();
  if (!event->captured) event->event = {stream->stream, stream->stream->mark()};
  return cudaSuccess;
}
// Who asks again and again sees the work go on.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Call call;
  if (event->captured) return Error(cudaErrorCapturedEvent, "cudaEventQuery");
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaEventQuery");
  if (event->event.HasRun()) return cudaSuccess;
  event->event.stream->RunOne();
  return cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Call call;
  if (event->captured) return Error(cudaErrorCapturedEvent, "cudaEventSynchronize");
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaEventSynchronize");
  event->event.Run();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaStreamBeginCapture");
  if (!MayDisturb()) return Error(cudaErrorStreamCaptureUnsupported, "cudaStreamBeginCapture");
  TheRuntime().capturing = stream;
  TheRuntime().capture_is_valid = true;
  stream->stream->BeginCapture();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Call call;
  if (!IsStream(stream) || TheRuntime().capturing != stream) {
    return Error(cudaErrorInvalidValue, "cudaStreamEndCapture");
  }
  TheRuntime().capturing = nullptr;
  std::vector<Operation> operations = stream->stream->EndCapture();
  *graph = nullptr;
  if (!TheRuntime().capture_is_valid) {
    return Error(cudaErrorStreamCaptureInvalidated, "cudaStreamEndCapture");
  }
  *graph = new CUgraph_st{std::move(operations)};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  *executable = new CUgraphExec_st{graph->operations};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  const Call call;
  if (!IsStream(stream)) return Error(cudaErrorInvalidResourceHandle, "cudaGraphLaunch");
  for (const Operation& operation : graph->operations) stream->stream->Add(operation);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  const Call call;
  delete graph;
  return cudaSuccess;
}

}  // extern "C"
#pragma GCC visibility pop

}  // namespace memory3::cuda::emulator
