// Exact percentiles of a set of measurements, from the stored samples.
#ifndef MEMORY3_TOOLS_PERCENTILES_H_
#define MEMORY3_TOOLS_PERCENTILES_H_

#include <cstddef>
#include <vector>

namespace memory3 {

class Percentiles {
 public:
  explicit Percentiles(std::vector<double> samples);

  bool empty() const { return sorted_.empty(); }
  size_t count() const { return sorted_.size(); }

  // The smallest sample that at least `percent` of all samples do not exceed (nearest rank), so the
  // answer is always a value that was measured. percent in (0, 100]; there must be samples.
  double At(double percent) const;

 private:
  std::vector<double> sorted_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_PERCENTILES_H_
