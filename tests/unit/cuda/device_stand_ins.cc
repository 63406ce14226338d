// What tests ask of the executor, where a device takes its place: it has an order of its own, and
// counts nothing.
#include "engine/cuda/host/executor.h"

namespace memory3::cuda {

void host::SetStreamOrder(StreamOrder order) {}
int64_t host::BufferAllocations() { return 0; }
int64_t host::OverlappingLaunches() { return kNotCounted; }

}  // namespace memory3::cuda
