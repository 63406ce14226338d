// The shared memory of a block, with what compute-sanitizer's racecheck and initcheck look for: two
// threads that meet at an address between two barriers, one of them writing; reads of what nobody
// wrote; any use of bytes while an asynchronous copy to them is on its way.
#ifndef MEMORY3_ENGINE_CUDA_EMULATOR_SHARED_MEMORY_H_
#define MEMORY3_ENGINE_CUDA_EMULATOR_SHARED_MEMORY_H_

#include <cstdint>
#include <vector>

namespace memory3::cuda::emulator {

class SharedMemory {
 public:
  explicit SharedMemory(int bytes);

  // Where the bytes lie, for the thread of that number of the block. Fails, see fail.h, when they
  // are not there, not aligned to their size, or another thread is in the way.
  const uint8_t* Read(uint64_t offset, int bytes, int thread);
  uint8_t* Write(uint64_t offset, int bytes, int thread);
  uint8_t* Atomic(uint64_t offset, int bytes, int thread);

  // An asynchronous copy to the bytes: from its start to its end nobody may touch them.
  void StartCopy(uint64_t offset, int bytes, int thread);
  uint8_t* EndCopy(uint64_t offset, int bytes, int thread);

  void PassBarrier() { ++epoch_; }

 private:
  // Of two neighbouring bytes. Threads are numbered from 1; epoch 0 is never.
  struct Granule {
    uint16_t writer = 0;
    uint16_t reader = 0;
    uint16_t copier = 0;  // with a copy on its way
    uint32_t written = 0;
    uint32_t read = 0;
  };
  static constexpr int kGranule = 2;

  Granule* GranulesOf(uint64_t offset, int bytes);
  void NoteWrite(Granule& granule, uint16_t who);

  std::vector<uint8_t> bytes_;
  std::vector<Granule> granules_;
  uint32_t epoch_ = 1;
};

}  // namespace memory3::cuda::emulator

#endif  // MEMORY3_ENGINE_CUDA_EMULATOR_SHARED_MEMORY_H_
