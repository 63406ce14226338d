#include "engine/cuda/emulator/shared_memory.h"

#include "engine/cuda/emulator/fail.h"

namespace memory3::cuda::emulator {
namespace {

constexpr uint16_t kSeveral = 0xFFFF;
constexpr uint16_t kAtomically = 0xFFFE;

uint16_t NumberOf(int thread) { return static_cast<uint16_t>(thread + 1); }

}  // namespace

// Bytes that nobody wrote are NaN as float and as bf16.
SharedMemory::SharedMemory(int bytes)
    : bytes_(bytes, 0xFF), granules_((bytes + kGranule - 1) / kGranule) {}

SharedMemory::Granule* SharedMemory::GranulesOf(uint64_t offset, int bytes) {
  if (offset + bytes > bytes_.size()) Fail("shared memory beyond what the launch asked for");
  if (offset % bytes != 0) Fail("an address in shared memory is not aligned");
  return granules_.data() + offset / kGranule;
}

const uint8_t* SharedMemory::Read(uint64_t offset, int bytes, int thread) {
  Granule* const granules = GranulesOf(offset, bytes);
  const uint16_t me = NumberOf(thread);
  for (int i = 0; i < (bytes + kGranule - 1) / kGranule; ++i) {
    Granule& granule = granules[i];
    if (granule.copier != 0) Fail("shared memory is read while a copy to it is on its way");
    if (granule.written == 0) Fail("shared memory is read that nobody wrote");
    if (granule.written == epoch_ && granule.writer != me) {
      Fail("shared memory is read that another thread wrote, without a barrier between");
    }
    granule.reader = granule.read == epoch_ && granule.reader != me ? kSeveral : me;
    granule.read = epoch_;
  }
  return bytes_.data() + offset;
}

void SharedMemory::NoteWrite(Granule& granule, uint16_t who) {
  if (granule.copier != 0) Fail("shared memory is written while a copy to it is on its way");
  if (granule.written == epoch_ && granule.writer != who) {
    Fail("two threads write to shared memory without a barrier between");
  }
  if (granule.read == epoch_ && granule.reader != who) {
    Fail("shared memory is written that another thread read, without a barrier between");
  }
  granule.writer = who;
  granule.written = epoch_;
}

uint8_t* SharedMemory::Write(uint64_t offset, int bytes, int thread) {
  Granule* const granules = GranulesOf(offset, bytes);
  for (int i = 0; i < (bytes + kGranule - 1) / kGranule; ++i) {
    NoteWrite(granules[i], NumberOf(thread));
  }
  return bytes_.data() + offset;
}

uint8_t* SharedMemory::Atomic(uint64_t offset, int bytes, int /*thread*/) {
  Granule* const granules = GranulesOf(offset, bytes);
  for (int i = 0; i < (bytes + kGranule - 1) / kGranule; ++i) {
    if (granules[i].written == 0) Fail("shared memory is read that nobody wrote");
    NoteWrite(granules[i], kAtomically);
  }
  return bytes_.data() + offset;
}

void SharedMemory::StartCopy(uint64_t offset, int bytes, int thread) {
  Granule* const granules = GranulesOf(offset, bytes);
  for (int i = 0; i < bytes / kGranule; ++i) {
    NoteWrite(granules[i], NumberOf(thread));
    granules[i].copier = NumberOf(thread);
  }
}

uint8_t* SharedMemory::EndCopy(uint64_t offset, int bytes, int thread) {
  Granule* const granules = GranulesOf(offset, bytes);
  for (int i = 0; i < bytes / kGranule; ++i) {
    granules[i].copier = 0;
    NoteWrite(granules[i], NumberOf(thread));
  }
  return bytes_.data() + offset;
}

}  // namespace memory3::cuda::emulator
