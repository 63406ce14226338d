// The scalar twins of platform/tensor_core.h: the same distribution of elements over lanes, one
// multiplication at a time. Copies to shared memory arrive as late as their waits allow.
#ifndef MEMORY3_ENGINE_CUDA_HOST_DEVICE_TILES_H_
#define MEMORY3_ENGINE_CUDA_HOST_DEVICE_TILES_H_

#include <cstdint>

namespace memory3::cuda {

namespace host {

void MultiplyTile(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void LoadTiles(uint32_t (&tiles)[4], const void* shared_row, bool transposed);

// Copies of the running thread: started, closed into a group, finished down to `pending` groups.
void StartCopy16(void* shared, const void* global, bool valid);
void CloseCopyGroup();
void FinishCopyGroups(int pending);

}  // namespace host

inline void MmaBf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  host::MultiplyTile(d, a, b);
}
template <bool kTransposed = false>
void LoadTiles(uint32_t (&tiles)[4], const void* shared_row) {
  host::LoadTiles(tiles, shared_row, kTransposed);
}
inline void CopyAsync16(void* shared, const void* global, bool valid = true) {
  host::StartCopy16(shared, global, valid);
}
inline void CommitCopies() { host::CloseCopyGroup(); }
template <int kPending>
void WaitCopies() {
  host::FinishCopyGroups(kPending);
}

}  // namespace memory3::cuda

#endif  // MEMORY3_ENGINE_CUDA_HOST_DEVICE_TILES_H_
