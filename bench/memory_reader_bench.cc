// Records at random places of a file, read by one of the engine's readers with a fixed number of
// reads under way.
//
//   memory_reader_bench --file=F --reader=io_uring --depth=4 --seconds=3
//
// Prints one line of JSON. bench/memory_reader_bench.py sets it beside fio.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "engine/base/flag_help.h"
#include "engine/base/status_macros.h"
#include "engine/memory/bank/record_checksum.h"
#include "engine/memory/reader_factory.h"
#include "engine/runner/memory_tensor.h"
#include "tools/percentiles.h"

ABSL_FLAG(std::string, file, "", "the file to read from");
ABSL_FLAG(std::string, reader, "io_uring", "auto, pread (one thread per read under way), io_uring");
ABSL_FLAG(int, depth, 1, "reads under way");
ABSL_FLAG(int64_t, record_bytes, 450560, "of one read; a multiple of 4096");
ABSL_FLAG(double, seconds, 3, "how long to read");
ABSL_FLAG(bool, direct, true, "past the page cache (O_DIRECT)");
ABSL_FLAG(bool, fixed_buffers, true, "register the buffers with io_uring");
ABSL_FLAG(bool, checksum, false, "measure the checksum of records in memory instead of reading");

namespace memory3 {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr absl::string_view kUsage =
    "memory_reader_bench --file=F [--reader=io_uring] [--depth=4] [--seconds=3]\n"
    "memory_reader_bench --checksum\n\n"
    "Reads records at random places of a file and prints one line of JSON.";

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return time.tv_sec + time.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Keeps one read under way until told to stop. Its callbacks follow each other.
class Stream {
 public:
  Stream(MemoryReader& reader, std::shared_ptr<const RecordFile> file, RecordBuffers& buffers,
         uint64_t seed)
      : reader_(reader),
        file_(std::move(file)),
        buffer_(buffers.Take()),
        bytes_(buffers.record_bytes()),
        random_(seed) {}

  void Next() {
    start_ = SteadyClock::now();
    const auto records = static_cast<uint64_t>(file_->size() / bytes_);
    absl::Status queued =
        reader_.Read({.file = file_,
                      .offset = static_cast<int64_t>(random_() % records) * bytes_,
                      .bytes = {buffer_.get(), static_cast<size_t>(bytes_)},
                      .done = [this](absl::Status status) { OnRead(std::move(status)); }});
    if (!queued.ok()) Stop(std::move(queued));
  }
  void StopSoon() { stopping_ = true; }
  bool stopped() const { return stopped_; }
  // Once stopped:
  const absl::Status& status() const { return status_; }
  const std::vector<double>& microseconds() const { return microseconds_; }

 private:
  void OnRead(absl::Status status) {
    if (!status.ok()) return Stop(std::move(status));
    microseconds_.push_back(SecondsSince(start_) * 1e6);
    if (stopping_) return Stop(absl::OkStatus());
    Next();
  }
  void Stop(absl::Status status) {
    status_ = std::move(status);
    stopped_ = true;
  }

  MemoryReader& reader_;
  const std::shared_ptr<const RecordFile> file_;
  const std::shared_ptr<uint8_t> buffer_;
  const int64_t bytes_;
  std::mt19937_64 random_;
  SteadyClock::time_point start_;
  std::vector<double> microseconds_;
  absl::Status status_;
  std::atomic<bool> stopping_{false}, stopped_{false};
};

absl::StatusOr<ReaderKind> ParseReader(const std::string& name) {
  if (name == "auto") return ReaderKind::kAuto;
  if (name == "pread") return ReaderKind::kPread;
  if (name == "io_uring") return ReaderKind::kIoUring;
  return absl::InvalidArgumentError(absl::StrCat("--reader=", name, ": auto, pread or io_uring"));
}

absl::StatusOr<nlohmann::json> ReadForAWhile() {
  const int depth = absl::GetFlag(FLAGS_depth);
  const int64_t bytes = absl::GetFlag(FLAGS_record_bytes);
  const bool direct = absl::GetFlag(FLAGS_direct);
  M3_ASSIGN_OR_RETURN(const ReaderKind kind, ParseReader(absl::GetFlag(FLAGS_reader)));
  if (depth < 1 || depth > kMaxReaderThreads) {
    return absl::InvalidArgumentError(absl::StrCat("--depth: in [1, ", kMaxReaderThreads, "]"));
  }
  if (bytes <= 0 || bytes % kRecordAlignment != 0 || bytes > kMaxFixedBufferBytes / depth) {
    return absl::InvalidArgumentError("--record_bytes: a multiple of 4096, all below 1 GiB");
  }
  M3_ASSIGN_OR_RETURN(const auto file, RecordFile::Open(absl::GetFlag(FLAGS_file), direct));
  if (file->size() < bytes) return absl::InvalidArgumentError("--file: shorter than a record");
  const auto buffers =
      RecordBuffers::Create(bytes, depth, absl::GetFlag(FLAGS_fixed_buffers) ? depth : 0);
  M3_ASSIGN_OR_RETURN(const MemoryReaderChoice choice,
                      CreateMemoryReader({.kind = kind,
                                          .direct = direct ? DirectReads::kOn : DirectReads::kOff,
                                          .depth = depth,
                                          .threads = depth,
                                          .buffers = buffers},
                                         file));

  std::vector<std::unique_ptr<Stream>> streams;
  // Other places in every run: a virtual disk's host remembers the last run's.
  std::random_device seed;
  for (int i = 0; i < depth; ++i) {
    streams.push_back(std::make_unique<Stream>(*choice.reader, file, *buffers, seed()));
  }
  const auto start = SteadyClock::now();
  const double cpu_start = CpuSeconds();
  for (auto& stream : streams) stream->Next();
  std::this_thread::sleep_for(std::chrono::duration<double>(absl::GetFlag(FLAGS_seconds)));
  for (auto& stream : streams) stream->StopSoon();
  for (auto& stream : streams) {
    while (!stream->stopped()) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  const double seconds = SecondsSince(start);
  const double cpu = CpuSeconds() - cpu_start;

  std::vector<double> all;
  for (const auto& stream : streams) {
    M3_RETURN_IF_ERROR(stream->status());
    all.insert(all.end(), stream->microseconds().begin(), stream->microseconds().end());
  }
  const Percentiles latency(std::move(all));
  return nlohmann::json{{"reader", choice.summary},
                        {"gb_per_s", latency.count() * bytes * 1e-9 / seconds},
                        {"p50_us", latency.At(50)},
                        {"p99_us", latency.At(99)},
                        {"cpu_share", cpu / seconds}};
}

// Over more memory than the caches hold, as records come from a device. By processor time, because
// others may share the core.
nlohmann::json ChecksumForAWhile() {
  constexpr int kRecords = 128;
  const int64_t bytes = absl::GetFlag(FLAGS_record_bytes);
  const auto buffers = RecordBuffers::Create(bytes, kRecords);
  std::vector<std::shared_ptr<uint8_t>> records;
  for (int i = 0; i < kRecords; ++i) {
    records.push_back(buffers->Take());
    std::fill_n(records.back().get(), bytes, static_cast<uint8_t>(i));
  }
  uint32_t sum = 0;
  int64_t done = 0;
  const auto start = SteadyClock::now();
  const double cpu_start = CpuSeconds();
  while (SecondsSince(start) < absl::GetFlag(FLAGS_seconds)) {
    for (const auto& record : records) {
      sum ^= RecordChecksum(done, 8, {record.get(), static_cast<size_t>(bytes)});
      done += bytes;
    }
  }
  const double seconds = CpuSeconds() - cpu_start;
  return {{"checksum_gb_per_s", done * 1e-9 / seconds}, {"sum", sum}};
}

int Main() {
  if (absl::GetFlag(FLAGS_checksum)) {
    std::cout << ChecksumForAWhile().dump() << "\n";
    return 0;
  }
  const absl::StatusOr<nlohmann::json> result = ReadForAWhile();
  if (!result.ok()) {
    std::cerr << result.status() << "\n";
    return 1;
  }
  std::cout << result->dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace memory3

int main(int argc, char** argv) {
  if (memory3::PrintHelpIfAsked(argc, argv, {memory3::kUsage, {"bench/memory_reader_bench.cc"}})) {
    return 0;
  }
  absl::ParseCommandLine(argc, argv);
  return memory3::Main();
}
