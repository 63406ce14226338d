#include "server/metrics.h"

#include <prometheus/text_serializer.h>

#include <iterator>
#include <optional>

#include "absl/time/clock.h"
#include "common/status_details.h"
#include "common/version.h"
#include "server/metric_families.h"

namespace memory3 {
namespace {

using prometheus::Histogram;

// Fast hardware answers within a millisecond, so the finest bucket is 0.5 ms; 26 of them reach 12
// s.
Histogram::BucketBoundaries TokenLatencyBuckets() { return Geometric(0.0005, 1.5, 26); }
Histogram::BucketBoundaries RequestLatencyBuckets() { return Geometric(0.001, 2, 18); }
Histogram::BucketBoundaries RowBuckets() { return Geometric(1, 2, 13); }

}  // namespace

ServerMetrics::ServerMetrics(const ServingState& state)
    : state_(state),
      requests_(prometheus::BuildCounter()
                    .Name("memory3_requests_total")
                    .Help("Finished chat requests by method and gRPC status code.")
                    .Register(registry_)),
      request_duration_(prometheus::BuildHistogram()
                            .Name("memory3_request_duration_seconds")
                            .Help("From the arrival of a chat request to its end.")
                            .Register(registry_)),
      time_to_first_token_(AddHistogram(registry_, "memory3_time_to_first_token_seconds",
                                        "From submission to the first token of the answer.",
                                        RequestLatencyBuckets())),
      inter_token_latency_(AddHistogram(registry_, "memory3_inter_token_latency_seconds",
                                        "Between two tokens of one answer.",
                                        TokenLatencyBuckets())),
      queue_wait_(AddHistogram(registry_, "memory3_queue_wait_seconds",
                               "From submission to the first step, of requests that got a token.",
                               RequestLatencyBuckets())),
      step_rows_(AddHistogram(registry_, "memory3_step_rows",
                              "Batch rows of a step: one per decoding sequence, and prompt tokens.",
                              RowBuckets())),
      step_sequences_(AddHistogram(registry_, "memory3_step_sequences",
                                   "Sequences that take part in a step.", RowBuckets())),
      step_duration_(AddHistogram(registry_, "memory3_step_duration_seconds", "Duration of a step.",
                                  TokenLatencyBuckets())),
      prompt_tokens_(AddCounter(registry_, "memory3_prompt_tokens_total",
                                "Prompt tokens of requests that ended.")),
      completion_tokens_(AddCounter(registry_, "memory3_completion_tokens_total",
                                    "Tokens generated for requests that ended.")),
      stream_cut_offs_(AddCounter(registry_, "memory3_stream_cut_offs_total",
                                  "Streams ended because their reader was too slow.")),
      model_info_(prometheus::BuildGauge()
                      .Name("memory3_model_info")
                      .Help("The served model; always 1.")
                      .Register(registry_)) {
  prometheus::BuildGauge()
      .Name("memory3_build_info")
      .Help("The server's version; always 1.")
      .Register(registry_)
      .Add({{"version", std::string(kVersion)}})
      .Set(1);
}

void ServerMetrics::SetModel(const ServedModel& model) {
  model_info_
      .Add({{"model", model.context.model_names.front()},
            {"architecture", model.config.architecture},
            {"dtype", model.dtype},
            {"device", model.engine->runner_info().device}})
      .Set(1);
  if (model.memory != nullptr) memory_.emplace(registry_);
}

void ServerMetrics::OnFirstToken(absl::Duration time_to_first_token, absl::Duration queued) {
  if (!recording()) return;
  time_to_first_token_.Observe(absl::ToDoubleSeconds(time_to_first_token));
  queue_wait_.Observe(absl::ToDoubleSeconds(queued));
}

void ServerMetrics::OnNextToken(absl::Duration inter_token_latency) {
  if (!recording()) return;
  inter_token_latency_.Observe(absl::ToDoubleSeconds(inter_token_latency));
}

void ServerMetrics::OnFinished(const absl::Status& status, int prompt_tokens,
                               int completion_tokens) {
  if (!recording()) return;
  prompt_tokens_.Increment(prompt_tokens);
  completion_tokens_.Increment(completion_tokens);
}

void ServerMetrics::OnStep(int rows, int decode_rows, int sequences, absl::Duration duration) {
  if (!recording()) return;
  step_rows_.Observe(rows);
  step_sequences_.Observe(sequences);
  step_duration_.Observe(absl::ToDoubleSeconds(duration));
}

void ServerMetrics::OnChunk(const ChunkReport& chunk) {
  if (recording() && memory_.has_value()) memory_->OnChunk(chunk);
}

void ServerMetrics::OnRetrieval(const absl::Status& status, int queries, absl::Duration duration) {
  if (recording() && memory_.has_value()) memory_->OnRetrieval(status, queries, duration);
}

void ServerMetrics::OnStaleCompletion() {
  if (recording() && memory_.has_value()) memory_->OnStaleCompletion();
}

void ServerMetrics::OnRequest(std::string_view method, absl::StatusCode code,
                              absl::Duration duration) {
  const prometheus::Labels labels = {{"method", std::string(method)},
                                     {"code", std::string(CodeName(code))}};
  requests_.Add(labels).Increment();
  request_duration_.Add({{"method", std::string(method)}}, RequestLatencyBuckets())
      .Observe(absl::ToDoubleSeconds(duration));
}

std::vector<prometheus::MetricFamily> ServerMetrics::CollectState() const {
  using prometheus::MetricType;
  const EngineSnapshot snapshot = state_.Snapshot().value_or(EngineSnapshot());
  std::vector<prometheus::MetricFamily> families = {
      Sample("memory3_ready", "1 while requests are taken.", MetricType::Gauge, state_.Ready()),
      Sample("memory3_draining", "1 while the server shuts down.", MetricType::Gauge,
             state_.draining()),
      Sample("memory3_live", "0 when a step is stuck or steps keep failing.", MetricType::Gauge,
             state_.Live(absl::Now())),
      Sample("memory3_queued_requests", "Requests that wait for their first step.",
             MetricType::Gauge, snapshot.queued),
      Sample("memory3_running_sequences", "Sequences in prefill or decode.", MetricType::Gauge,
             snapshot.running),
      Sample("memory3_kv_blocks_used", "KV cache blocks reserved by running sequences.",
             MetricType::Gauge, snapshot.kv_blocks_used),
      Sample("memory3_kv_blocks_capacity", "KV cache blocks there are.", MetricType::Gauge,
             snapshot.kv_blocks_total),
      Sample("memory3_engine_steps_total", "Steps of the engine, warm-up included.",
             MetricType::Counter, static_cast<double>(snapshot.steps)),
  };
  const absl::StatusOr<const ServedModel*> model = state_.ModelForLookup();
  if (model.ok() && (*model)->memory != nullptr) {
    std::vector<prometheus::MetricFamily> memory = CollectMemoryState(*(*model)->memory, snapshot);
    families.insert(families.end(), std::make_move_iterator(memory.begin()),
                    std::make_move_iterator(memory.end()));
  }
  return families;
}

std::string ServerMetrics::Scrape() const {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  std::vector<prometheus::MetricFamily> state = CollectState();
  families.insert(families.end(), std::make_move_iterator(state.begin()),
                  std::make_move_iterator(state.end()));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace memory3
