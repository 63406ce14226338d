#include "engine/cuda/emulator/counters.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_replace.h"

namespace memory3::cuda::emulator {
namespace {

constexpr int kSectorBytes = 32;
constexpr int kBanks = 32;
constexpr int kBankBytes = 4;

// "DecodeTilesKernel<80, 1>" of the mangled name.
std::string ShortName(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  if (status != 0) return mangled;
  std::string name = absl::StrReplaceAll(
      demangled.get(), {{"void ", ""}, {"memory3::cuda::", ""}, {"(anonymous namespace)::", ""}});
  // Without the arguments: up to the parenthesis that closes the template's.
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 100 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

class AllCounters {
 public:
  explicit AllCounters(const char* file) : file_(file) {}
  ~AllCounters() {
    std::FILE* const out = std::fopen(file_, "w");
    if (out == nullptr) {
      std::perror(file_);
      return;
    }
    std::fprintf(out,
                 "| kernel | launches | blocks | warp instructions | tile products | sectors | of "
                 "them full %% | shared passes | of them free %% |\n"
                 "| --- | -: | -: | -: | -: | -: | -: | -: | -: |\n");
    for (const auto& [name, c] : counters_) {
      std::fprintf(out, "| %s | %ld | %ld | %ld | %ld | %ld | %.1f | %ld | %.1f |\n", name.c_str(),
                   c.launches, c.blocks, c.instructions, c.tile_products, c.sectors,
                   Share(c.full_sectors, c.sectors), c.passes, Share(c.free_passes, c.passes));
    }
    std::fclose(out);
  }
  Counters* Of(const std::string& kernel) { return &counters_[ShortName(kernel)]; }

 private:
  const char* const file_;
  std::map<std::string, Counters> counters_;
};

}  // namespace

void Counters::CountGlobal(const uint64_t (&addresses)[kLanes], uint32_t lanes, int bytes) {
  std::set<uint64_t> sectors_touched;
  std::set<uint64_t> starts;
  ForLanes(lanes, [&](int lane) {
    starts.insert(addresses[lane]);
    for (uint64_t at = addresses[lane] / kSectorBytes;
         at <= (addresses[lane] + bytes - 1) / kSectorBytes; ++at) {
      sectors_touched.insert(at);
    }
  });
  const auto asked = static_cast<int64_t>(starts.size()) * bytes;
  sectors += static_cast<int64_t>(sectors_touched.size());
  full_sectors += (asked + kSectorBytes - 1) / kSectorBytes;
}

// Wide requests are split: half a warp at a time for 8 bytes, a quarter for 16.
void Counters::CountShared(const uint64_t (&offsets)[kLanes], uint32_t lanes, int bytes) {
  const int group = kLanes / std::max(1, bytes / kBankBytes);
  for (int first = 0; first < kLanes; first += group) {
    std::set<uint64_t> words;
    for (int lane = first; lane < first + group; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      for (int byte = 0; byte < bytes; byte += kBankBytes) {
        words.insert((offsets[lane] + byte) / kBankBytes);
      }
    }
    if (words.empty()) continue;
    int64_t in_bank[kBanks] = {};
    for (const uint64_t word : words) ++in_bank[word % kBanks];
    passes += *std::max_element(in_bank, in_bank + kBanks);
    free_passes += 1;
  }
}

Counters* CountersOf(const std::string& kernel) {
  static const char* const file = std::getenv("M3_EMULATOR_COUNTERS");
  if (file == nullptr) return nullptr;
  static AllCounters all(file);
  return all.Of(kernel);
}

}  // namespace memory3::cuda::emulator
