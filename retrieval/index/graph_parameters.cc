#include "retrieval/index/graph_parameters.h"

#include "absl/strings/str_cat.h"

namespace memory3 {
namespace {

constexpr int kMinLinks = 2, kMaxLinks = 256;
constexpr int kMaxBuildCandidates = 65535;

absl::Status OutOfRange(const char* name, int min, int max, int value) {
  return absl::InvalidArgumentError(
      absl::StrCat("graph.", name, ": must be in [", min, ", ", max, "], got ", value));
}

}  // namespace

absl::Status CheckParameters(const GraphParameters& parameters) {
  if (parameters.links < kMinLinks || parameters.links > kMaxLinks) {
    return OutOfRange("links", kMinLinks, kMaxLinks, parameters.links);
  }
  if (parameters.build_candidates < 1 || parameters.build_candidates > kMaxBuildCandidates) {
    return OutOfRange("build_candidates", 1, kMaxBuildCandidates, parameters.build_candidates);
  }
  return absl::OkStatus();
}

}  // namespace memory3
