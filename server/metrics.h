// Everything the server exports to Prometheus. docs/operations.md explains each metric.
//
// Counters and histograms are fed by the engine (EngineObserver, on its thread: an atomic or a
// short uncontended lock each) and by finished requests; gauges are read from the engine's atomics
// at scrape time. A scrape never passes through the engine's queue. Thread-safe.
#ifndef MEMORY3_SERVER_METRICS_H_
#define MEMORY3_SERVER_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/memory_metrics.h"
#include "server/serving_state.h"

namespace memory3 {

class ServerMetrics : public EngineObserver {
 public:
  // `state` must outlive the metrics.
  explicit ServerMetrics(const ServingState& state);

  // Off while the model warms up, whose steps are no one's requests.
  void SetRecording(bool recording) { recording_.store(recording, std::memory_order_release); }
  // Before recording begins.
  void SetModel(const ServedModel& model);

  void OnFirstToken(absl::Duration time_to_first_token, absl::Duration queued) override;
  void OnNextToken(absl::Duration inter_token_latency) override;
  void OnFinished(const absl::Status& status, int prompt_tokens, int completion_tokens) override;
  void OnStep(int rows, int decode_rows, int sequences, absl::Duration duration) override;
  void OnChunk(const ChunkReport& chunk) override;
  void OnRetrieval(const absl::Status& status, int queries, absl::Duration duration) override;
  void OnStaleCompletion() override;

  // `method`: "Chat" or "Complete". `code`: what the client was told.
  void OnRequest(std::string_view method, absl::StatusCode code, absl::Duration duration);
  void OnStreamCutOff() { stream_cut_offs_.Increment(); }

  // The exposition text, version 0.0.4.
  std::string Scrape() const;

 private:
  // Whoever sees that recording began also sees what SetModel did.
  bool recording() const { return recording_.load(std::memory_order_acquire); }
  std::vector<prometheus::MetricFamily> CollectState() const;

  const ServingState& state_;
  std::atomic<bool> recording_ = false;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_duration_;
  prometheus::Histogram& time_to_first_token_;
  prometheus::Histogram& inter_token_latency_;
  prometheus::Histogram& queue_wait_;
  prometheus::Histogram& step_rows_;
  prometheus::Histogram& step_sequences_;
  prometheus::Histogram& step_duration_;
  prometheus::Counter& prompt_tokens_;
  prometheus::Counter& completion_tokens_;
  prometheus::Counter& stream_cut_offs_;
  prometheus::Family<prometheus::Gauge>& model_info_;
  std::optional<MemoryMetrics> memory_;  // of a server with a bank
};

}  // namespace memory3

#endif  // MEMORY3_SERVER_METRICS_H_
