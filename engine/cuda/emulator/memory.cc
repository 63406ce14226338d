// Loads, stores, atomic operations and asynchronous copies.
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "engine/cuda/emulator/device_memory.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/opcodes.h"
#include "engine/cuda/emulator/warp.h"

namespace memory3::cuda::emulator {
namespace {

// Generic addresses of shared memory: beyond all that exist.
constexpr uint64_t kSharedWindow = uint64_t{1} << 62;

enum class Access : uint8_t { kRead, kWrite, kAtomic };

uint8_t* Shared(Warp& warp, uint64_t offset, int bytes, int lane, Access access) {
  SharedMemory& shared = warp.shared();
  const int thread = warp.ThreadOf(lane);
  switch (access) {
    case Access::kRead:
      return const_cast<uint8_t*>(shared.Read(offset, bytes, thread));
    case Access::kWrite:
      return shared.Write(offset, bytes, thread);
    case Access::kAtomic:
      return shared.Atomic(offset, bytes, thread);
  }
  return nullptr;
}

uint8_t* Global(uint64_t address, int bytes) {
  auto* const data = reinterpret_cast<uint8_t*>(address);
  if (address % bytes != 0) Fail("an address in global memory is not aligned");
  if (!TheDeviceMemory().Contains(data, bytes)) Fail("global memory that is not allocated");
  return data;
}

uint8_t* Parameters(const Warp& warp, uint64_t offset, int bytes) {
  const std::vector<uint8_t>& parameters = warp.launch().parameters;
  if (offset + bytes > parameters.size()) Fail("beyond the kernel's parameters");
  return const_cast<uint8_t*>(parameters.data()) + offset;
}

uint8_t* Resolve(Warp& warp, Space space, uint64_t address, int bytes, int lane, Access access) {
  SetRunningLane(lane);
  switch (space) {
    case Space::kParameters:
      return Parameters(warp, address, bytes);
    case Space::kShared:
      // Its addresses have 32 bits.
      return Shared(warp, static_cast<uint32_t>(address), bytes, lane, access);
    case Space::kGeneric:
      if (address >= kSharedWindow) {
        return Shared(warp, address - kSharedWindow, bytes, lane, access);
      }
      return Global(address, bytes);
    case Space::kGlobal:
      return Global(address, bytes);
  }
  return nullptr;
}

// Of an access by the lanes to `bytes` each.
void Count(const Warp& warp, Space space, const uint64_t* base, int64_t offset, uint32_t lanes,
           int bytes) {
  Counters* const counters = warp.launch().counters;
  if (counters == nullptr || space == Space::kParameters) return;
  uint64_t addresses[kLanes] = {};
  bool in_shared = space == Space::kShared;
  ForLanes(lanes, [&](int lane) {
    addresses[lane] = base[lane] + offset;
    if (space == Space::kGeneric && addresses[lane] >= kSharedWindow) in_shared = true;
  });
  if (!in_shared) return counters->CountGlobal(addresses, lanes, bytes);
  for (uint64_t& address : addresses) address = static_cast<uint32_t>(address);
  counters->CountShared(addresses, lanes, bytes);
}

uint64_t ReadElement(const uint8_t* from, const Opcode& opcode) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, opcode.element_bytes);
  if (!opcode.is_signed) return bits;
  const int unused = 64 - 8 * opcode.element_bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
}

void Load(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Opcode& opcode = instruction.opcode;
  const uint64_t* const base = warp.lanes(instruction.registers[opcode.elements]);
  Count(warp, opcode.space, base, instruction.offsets[0], lanes,
        opcode.elements * opcode.element_bytes);
  ForLanes(lanes, [&](int lane) {
    const uint8_t* const from =
        Resolve(warp, opcode.space, base[lane] + instruction.offsets[0],
                opcode.elements * opcode.element_bytes, lane, Access::kRead);
    for (int i = 0; i < opcode.elements; ++i) {
      warp.lanes(instruction.registers[i])[lane] =
          ReadElement(from + int64_t{i} * opcode.element_bytes, opcode);
    }
  });
}

void Store(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Opcode& opcode = instruction.opcode;
  const uint64_t* const base = warp.lanes(instruction.registers[0]);
  Count(warp, opcode.space, base, instruction.offsets[0], lanes,
        opcode.elements * opcode.element_bytes);
  ForLanes(lanes, [&](int lane) {
    uint8_t* const to = Resolve(warp, opcode.space, base[lane] + instruction.offsets[0],
                                opcode.elements * opcode.element_bytes, lane, Access::kWrite);
    for (int i = 0; i < opcode.elements; ++i) {
      std::memcpy(to + int64_t{i} * opcode.element_bytes,
                  &warp.lanes(instruction.registers[1 + i])[lane], opcode.element_bytes);
    }
  });
}

uint64_t AtomicAdd(uint64_t a, uint64_t b) { return a + b; }
uint64_t AtomicOr(uint64_t a, uint64_t b) { return a | b; }

template <auto kFunction>
void Atomic(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const Opcode& opcode = instruction.opcode;
  ForLanes(lanes, [&](int lane) {
    uint8_t* const at = Resolve(warp, opcode.space,
                                warp.lanes(instruction.registers[1])[lane] + instruction.offsets[0],
                                opcode.element_bytes, lane, Access::kAtomic);
    const uint64_t old = ReadElement(at, opcode);
    const uint64_t now = kFunction(old, warp.lanes(instruction.registers[2])[lane]);
    std::memcpy(at, &now, opcode.element_bytes);
    warp.lanes(instruction.registers[0])[lane] = old;
  });
}

constexpr int kCopyBytes = 16;

// cp.async [to], [from], 16, bytes: of the 16 the first `bytes` are copied.
void StartCopies(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  const auto& registers = instruction.registers;
  Count(warp, Space::kShared, warp.lanes(registers[0]), instruction.offsets[0], lanes, kCopyBytes);
  uint32_t reading = 0;  // not only zeros
  ForLanes(lanes,
           [&](int lane) { reading |= uint32_t{warp.lanes(registers[3])[lane] != 0} << lane; });
  Count(warp, Space::kGlobal, warp.lanes(registers[1]), instruction.offsets[1], reading,
        kCopyBytes);
  ForLanes(lanes, [&](int lane) {
    SetRunningLane(lane);
    AsyncCopy copy;
    copy.to = static_cast<uint32_t>(warp.lanes(registers[0])[lane] + instruction.offsets[0]);
    copy.bytes = static_cast<int>(warp.lanes(registers[3])[lane]);
    if (copy.bytes > kCopyBytes) Fail("an asynchronous copy of more bytes than its size");
    const uint64_t from = warp.lanes(registers[1])[lane] + instruction.offsets[1];
    if (copy.bytes > 0) copy.from = Global(from, kCopyBytes);
    warp.shared().StartCopy(copy.to, kCopyBytes, warp.ThreadOf(lane));
    warp.copies(lane).copies.push_back(copy);
  });
}

void CloseCopyGroups(Warp& warp, const Instruction& /*instruction*/, uint32_t lanes) {
  ForLanes(lanes, [&](int lane) {
    AsyncCopies& copies = warp.copies(lane);
    copies.groups.push_back(copies.copies.size());
  });
}

// Copies take place when they are waited for: as late as they may.
void WaitForCopies(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  ForLanes(lanes, [&](int lane) {
    SetRunningLane(lane);
    AsyncCopies& copies = warp.copies(lane);
    const uint64_t pending = warp.lanes(instruction.registers[0])[lane];
    while (copies.groups.size() > copies.done_groups + pending) {
      const size_t end = copies.groups[copies.done_groups++];
      for (; copies.done_copies < end; ++copies.done_copies) {
        const AsyncCopy& copy = copies.copies[copies.done_copies];
        uint8_t* const to = warp.shared().EndCopy(copy.to, kCopyBytes, warp.ThreadOf(lane));
        std::memset(to, 0, kCopyBytes);
        if (copy.bytes > 0) std::memcpy(to, copy.from, copy.bytes);
      }
    }
  });
}

void ToGeneric(Warp& warp, const Instruction& instruction, uint32_t lanes) {
  ForLanes(lanes, [&](int lane) {
    warp.lanes(instruction.registers[0])[lane] =
        kSharedWindow + warp.lanes(instruction.registers[1])[lane];
  });
}

// "s32", "f64", "b16" ...
bool ReadType(absl::string_view type, Opcode& opcode) {
  static constexpr struct {
    absl::string_view name;
    int8_t bytes;
  } kWidths[] = {{"8", 1}, {"16", 2}, {"32", 4}, {"64", 8}};
  for (const auto& width : kWidths) {
    if (type.substr(1) != width.name) continue;
    opcode.element_bytes = width.bytes;
    opcode.is_signed = type[0] == 's';
    return absl::string_view("subf").find(type[0]) != absl::string_view::npos;
  }
  return false;
}

Execute AtomicFunction(absl::string_view operation) {
  if (operation == "add") return &Atomic<AtomicAdd>;
  if (operation == "or") return &Atomic<AtomicOr>;
  return nullptr;
}

}  // namespace

std::optional<Opcode> MemoryOpcode(absl::string_view name) {
  std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  Opcode opcode;
  opcode.elements = 1;
  if (name == "cp.async.cg.shared.global") return Opcode{.execute = &StartCopies};
  if (name == "cp.async.commit_group") return Opcode{.execute = &CloseCopyGroups};
  if (name == "cp.async.wait_group") return Opcode{.execute = &WaitForCopies};
  if (name == "cvta.shared.u64") return Opcode{.execute = &ToGeneric};
  if (parts.front() == "ld") opcode.execute = &Load;
  if (parts.front() == "st") opcode.execute = &Store;
  const bool atomic = parts.front() == "atom";
  if (parts.size() < 2 || (opcode.execute == nullptr && !atomic)) return std::nullopt;
  if (!ReadType(parts.back(), opcode)) return std::nullopt;
  parts.pop_back();
  for (size_t i = 1; i < parts.size(); ++i) {
    const absl::string_view part = parts[i];
    if (part == "global") {
      opcode.space = Space::kGlobal;
    } else if (part == "shared") {
      opcode.space = Space::kShared;
    } else if (part == "param") {
      opcode.space = Space::kParameters;
    } else if (part == "v2" || part == "v4") {
      opcode.elements = static_cast<int8_t>(part[1] - '0');
    } else if (atomic && i + 1 == parts.size()) {
      opcode.execute = AtomicFunction(part);
    } else if (part != "cg" && part != "nc" && part != "volatile") {  // ways through the caches
      return std::nullopt;
    }
  }
  if (opcode.execute == nullptr) return std::nullopt;
  return opcode;
}

}  // namespace memory3::cuda::emulator
