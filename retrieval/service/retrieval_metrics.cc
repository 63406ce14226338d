#include "retrieval/service/retrieval_metrics.h"

#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

#include "common/status_details.h"
#include "common/version.h"

namespace memory3 {
namespace {

// 50 µs, times 1.5 each, to 1.5 s.
prometheus::Histogram::BucketBoundaries LatencyBuckets() {
  constexpr double kFinest = 50e-6, kFactor = 1.5;
  constexpr int kCount = 26;
  prometheus::Histogram::BucketBoundaries bounds;
  for (double bound = kFinest; bounds.size() < kCount; bound *= kFactor) bounds.push_back(bound);
  return bounds;
}

prometheus::Counter& AddCounter(prometheus::Registry& registry, const std::string& name,
                                const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::MetricFamily Gauge(std::string name, std::string help, double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  return {std::move(name), std::move(help), prometheus::MetricType::Gauge, {metric}};
}

}  // namespace

RetrievalMetrics::RetrievalMetrics()
    : requests_(prometheus::BuildCounter()
                    .Name("memory3_retrieval_requests_total")
                    .Help("Finished calls by method and gRPC status code.")
                    .Register(registry_)),
      retrieve_duration_(
          prometheus::BuildHistogram()
              .Name("memory3_retrieval_duration_seconds")
              .Help("From the arrival of a Retrieve call to its end, all its queries together.")
              .Register(registry_)
              .Add({}, LatencyBuckets())),
      queries_(AddCounter(registry_, "memory3_retrieval_queries_total",
                          "Query texts that were answered.")),
      swaps_(AddCounter(registry_, "memory3_retrieval_bank_swaps_total",
                        "Banks that were opened and are or were served.")),
      banks_refused_(
          AddCounter(registry_, "memory3_retrieval_banks_refused_total",
                     "Banks that could not be opened while another was served or none.")),
      log_errors_(AddCounter(registry_, "memory3_retrieval_taught_log_errors_total",
                             "Looks at the log of taught references that failed.")) {}

void RetrievalMetrics::OnRequest(std::string_view method, absl::StatusCode code,
                                 absl::Duration duration) {
  requests_.Add({{"method", std::string(method)}, {"code", std::string(CodeName(code))}})
      .Increment();
  if (method == "Retrieve") retrieve_duration_.Observe(absl::ToDoubleSeconds(duration));
}

std::string RetrievalMetrics::Scrape(const Snapshot* snapshot) const {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  const auto gauge = [&](std::string name, std::string help, double value) {
    families.push_back(Gauge("memory3_retrieval_" + std::move(name), std::move(help), value));
  };
  const bool serves = snapshot != nullptr;
  gauge("ready", "1 when there is a bank to retrieve from.", serves ? 1 : 0);
  gauge("bank_epoch", "Of the bank that is served; 0: none.",
        serves ? static_cast<double>(snapshot->epoch) : 0);
  gauge("references", "That can be retrieved.",
        serves ? static_cast<double>(snapshot->references()) : 0);
  gauge("taught_references", "Taught since the bank was built.",
        serves ? static_cast<double>(snapshot->taught.size()) : 0);
  gauge("deleted_references", "Of the bank, hidden.",
        serves ? static_cast<double>(snapshot->deleted.size()) : 0);
  gauge("taught_log_entries", "Of the log of taught references, applied.",
        serves ? static_cast<double>(snapshot->log_entries) : 0);
  prometheus::MetricFamily build = Gauge("memory3_retrieval_build_info", "Always 1.", 1);
  build.metric[0].label = {{"version", std::string(kVersion)},
                           {"embedder", serves ? snapshot->index->embedder().name() : ""}};
  families.push_back(std::move(build));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace memory3
