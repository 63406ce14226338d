#include "server/memory_metrics.h"

#include <string>

#include "common/status_details.h"
#include "server/metric_families.h"

namespace memory3 {
namespace {

// A read of a fast disk takes tens of microseconds; 24 buckets of factor 1.7 reach 10 s.
prometheus::Histogram::BucketBoundaries IoBuckets() { return Geometric(0.00005, 1.7, 24); }

}  // namespace

MemoryMetrics::MemoryMetrics(prometheus::Registry& registry)
    : retrieval_calls_(
          prometheus::BuildCounter()
              .Name("memory3_retrieval_calls_total")
              .Help("Retrieval calls by gRPC status code, those included that the open "
                    "circuit refused.")
              .Register(registry)),
      retrieval_queries_(AddCounter(registry, "memory3_retrieval_queries_total",
                                    "Queries of retrieval calls that were answered.")),
      retrieval_duration_(AddHistogram(registry, "memory3_retrieval_duration_seconds",
                                       "Of retrieval calls that were answered.", IoBuckets())),
      chunk_family_(prometheus::BuildCounter()
                        .Name("memory3_memory_chunks_total")
                        .Help("Chunks whose memories were settled: ok, late (went on with the "
                              "memories before) or degraded (fewer than named, or none).")
                        .Register(registry)),
      chunks_ok_(chunk_family_.Add({{"outcome", "ok"}})),
      chunks_late_(chunk_family_.Add({{"outcome", "late"}})),
      chunks_degraded_(chunk_family_.Add({{"outcome", "degraded"}})),
      load_duration_(AddHistogram(registry, "memory3_memory_load_duration_seconds",
                                  "From the request for a memory to its being ready, of memories "
                                  "that were not on the device.",
                                  IoBuckets())),
      boundary_wait_(AddHistogram(registry, "memory3_memory_boundary_wait_seconds",
                                  "That a sequence stood still at a chunk boundary.", IoBuckets())),
      stale_completions_(AddCounter(registry, "memory3_memory_stale_completions_total",
                                    "Completions that came for a sequence that was gone or had "
                                    "moved on, and were dropped.")) {
  prometheus::Family<prometheus::Counter>& memories =
      prometheus::BuildCounter()
          .Name("memory3_memories_total")
          .Help("Memories attached to chunks, by where they were when asked for.")
          .Register(registry);
  const char* const tiers[] = {"device", "host", "disk", "encoded"};
  for (size_t tier = 0; tier < memories_.size(); ++tier) {
    memories_[tier] = &memories.Add({{"tier", tiers[tier]}});
  }
}

void MemoryMetrics::OnChunk(const ChunkReport& chunk) {
  (chunk.late ? chunks_late_ : chunk.degraded ? chunks_degraded_ : chunks_ok_).Increment();
  boundary_wait_.Observe(absl::ToDoubleSeconds(chunk.wait_time));
  for (const ChunkReport::Memory& memory : chunk.memories) {
    memories_[static_cast<size_t>(memory.tier)]->Increment();
    if (memory.tier == MemoryTier::kDevice) continue;
    load_duration_.Observe(absl::ToDoubleSeconds(memory.load_time));
  }
}

void MemoryMetrics::OnRetrieval(const absl::Status& status, int queries, absl::Duration duration) {
  retrieval_calls_.Add({{"code", std::string(CodeName(status.code()))}}).Increment();
  if (!status.ok()) return;
  retrieval_queries_.Increment(queries);
  retrieval_duration_.Observe(absl::ToDoubleSeconds(duration));
}

std::vector<prometheus::MetricFamily> CollectMemoryState(const ServedMemory& memory,
                                                         const EngineSnapshot& engine) {
  constexpr auto kGauge = prometheus::MetricType::Gauge;
  constexpr auto kCounter = prometheus::MetricType::Counter;
  const MemoryLoaderCounters loader = memory.loader().counters();
  const CircuitBreaker& breaker = memory.retrieval().breaker();
  const std::shared_ptr<const Bank> bank = memory.store().bank();
  const TaughtLog* taught = memory.taught();
  const auto number = [](auto value) { return static_cast<double>(value); };
  return {
      Sample("memory3_retrieval_circuit_open",
             "1 while the sidecar failed repeatedly and is only probed.", kGauge, breaker.open()),
      Sample("memory3_retrieval_circuit_opened_total", "Times that the circuit opened.", kCounter,
             number(breaker.times_opened())),
      Sample("memory3_retrieval_circuit_refusals_total",
             "Retrieval calls that the open circuit refused.", kCounter,
             number(breaker.refusals())),
      Sample("memory3_waiting_for_memory", "Running sequences that stand still at a boundary.",
             kGauge, engine.waiting_for_memory),
      Sample("memory3_memory_slots_used", "Memory slots seen by a sequence or meant for one.",
             kGauge, engine.memory_slots_used),
      Sample("memory3_memory_slots_capacity", "Memory slots there are.", kGauge,
             engine.memory_slots_total),
      Sample("memory3_memory_host_hits_total", "Loads answered from the host cache.", kCounter,
             number(loader.host_hits)),
      Sample("memory3_memory_disk_loads_total", "Memories read from disk, complete and checked.",
             kCounter, number(loader.disk_loads)),
      Sample("memory3_memory_disk_bytes_total", "Bytes of them.", kCounter,
             number(loader.disk_bytes)),
      Sample("memory3_memory_shared_loads_total", "Loads that joined one in flight.", kCounter,
             number(loader.shared_loads)),
      Sample("memory3_memory_read_errors_total", "Reads that failed.", kCounter,
             number(loader.read_errors)),
      Sample("memory3_memory_checksum_errors_total", "Reads whose bytes were not the record's.",
             kCounter, number(loader.checksum_errors)),
      Sample("memory3_memory_quarantined_total", "Records found damaged, never used again.",
             kCounter, number(loader.quarantined)),
      Sample("memory3_memory_rejected_loads_total", "Loads refused for want of room.", kCounter,
             number(loader.rejected)),
      Sample("memory3_memory_loads_in_flight", "Loads that wait for the disk.", kGauge,
             loader.in_flight),
      Sample("memory3_memory_host_cache_bytes", "Memories kept in main memory.", kGauge,
             number(loader.host_cache_bytes)),
      Sample("memory3_bank_epoch", "Epoch of the bank in use.", kGauge,
             number(bank->manifest().epoch)),
      Sample("memory3_bank_references", "References of the bank in use.", kGauge,
             number(bank->count())),
      Sample("memory3_bank_swaps_total", "Newer banks taken up.", kCounter,
             number(memory.bank_watch().swaps.load())),
      Sample("memory3_banks_refused_total", "Tries to take up a newer bank that failed.", kCounter,
             number(memory.bank_watch().refusals.load())),
      Sample("memory3_taught_references", "References taught and not deleted.", kGauge,
             taught == nullptr ? 0 : number(taught->taught())),
      Sample("memory3_deleted_references", "References deleted, of the bank or taught.", kGauge,
             taught == nullptr ? 0 : number(taught->deleted())),
  };
}

}  // namespace memory3
