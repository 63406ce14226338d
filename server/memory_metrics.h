// What a server with a bank exports about explicit memory, besides server/metrics.h. Observations
// come from the engine thread: an atomic or a short uncontended lock each. Thread-safe.
#ifndef MEMORY3_SERVER_MEMORY_METRICS_H_
#define MEMORY3_SERVER_MEMORY_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/served_memory.h"

namespace memory3 {

class MemoryMetrics {
 public:
  // Adds its families to `registry`, which must outlive it.
  explicit MemoryMetrics(prometheus::Registry& registry);

  void OnChunk(const ChunkReport& chunk);
  void OnRetrieval(const absl::Status& status, int queries, absl::Duration duration);
  void OnStaleCompletion() { stale_completions_.Increment(); }

 private:
  prometheus::Family<prometheus::Counter>& retrieval_calls_;
  prometheus::Counter& retrieval_queries_;
  prometheus::Histogram& retrieval_duration_;
  prometheus::Family<prometheus::Counter>& chunk_family_;
  prometheus::Counter& chunks_ok_;
  prometheus::Counter& chunks_late_;
  prometheus::Counter& chunks_degraded_;
  std::array<prometheus::Counter*, 4> memories_;  // by MemoryTier
  prometheus::Histogram& load_duration_;
  prometheus::Histogram& boundary_wait_;
  prometheus::Counter& stale_completions_;
};

// Values that others keep, read at scrape time from their counters.
std::vector<prometheus::MetricFamily> CollectMemoryState(const ServedMemory& memory,
                                                         const EngineSnapshot& engine);

}  // namespace memory3

#endif  // MEMORY3_SERVER_MEMORY_METRICS_H_
