#include "tests/unit/memory/reader_testing.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <cstddef>
#include <fstream>
#include <future>
#include <random>
#include <thread>
#include <utility>

#include "engine/base/aligned_buffer.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/runner/memory_tensor.h"

namespace memory3 {

TempFolder::TempFolder() {
  std::string name = testing::TempDir() + "/memory3_XXXXXX";
  M3_CHECK(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempFolder::~TempFolder() { std::filesystem::remove_all(path_); }

std::filesystem::path TempFolder::Write(const std::string& name, const std::string& bytes) const {
  std::ofstream(path_ / name, std::ios::binary) << bytes;
  return path_ / name;
}

std::shared_ptr<const RecordFile> TempFolder::WriteAndOpen(const std::string& name,
                                                           const std::string& bytes,
                                                           bool direct) const {
  auto file = RecordFile::Open(Write(name, bytes), direct);
  M3_CHECK(file.ok());
  return *std::move(file);
}

std::string RandomBytes(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

absl::StatusOr<std::string> ReadAndWait(MemoryReader& reader,
                                        std::shared_ptr<const RecordFile> file, int64_t offset,
                                        int64_t length) {
  AlignedBuffer buffer(length, kRecordAlignment);
  std::promise<absl::Status> result;
  M3_RETURN_IF_ERROR(reader.Read(
      {.file = std::move(file),
       .offset = offset,
       .bytes = {buffer.data(), buffer.size()},
       .done = [&result](absl::Status status) { result.set_value(std::move(status)); }}));
  M3_RETURN_IF_ERROR(result.get_future().get());
  return std::string(reinterpret_cast<const char*>(buffer.data()), buffer.size());
}

void WithDeniedSystemCall(int number, int error, int second_argument,
                          absl::FunctionRef<void()> body) {
  const auto deny = static_cast<uint32_t>(SECCOMP_RET_ERRNO | error);
  const bool any = second_argument < 0;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 3),
      // The low half of the second argument, where bytes are little-endian.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + sizeof(uint64_t)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(any ? 0 : second_argument), 0,
               static_cast<uint8_t>(any ? 0 : 1)),
      BPF_STMT(BPF_RET | BPF_K, deny),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {.len = sizeof(program) / sizeof(program[0]), .filter = program};
  std::thread([&] {
    M3_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    M3_CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
    body();
  }).join();
}

}  // namespace memory3
