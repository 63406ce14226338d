// Everything the sidecar exports to Prometheus. Thread-safe.
#ifndef MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_METRICS_H_
#define MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "retrieval/service/snapshot.h"

namespace memory3 {

class RetrievalMetrics {
 public:
  RetrievalMetrics();

  // method: "Retrieve", "GetInfo" or "Refresh". code: what the client was told.
  void OnRequest(std::string_view method, absl::StatusCode code, absl::Duration duration);
  void OnQueries(int queries) { queries_.Increment(queries); }
  void OnSwap() { swaps_.Increment(); }
  void OnBankRefused() { banks_refused_.Increment(); }
  void OnLogError() { log_errors_.Increment(); }

  // The exposition text, version 0.0.4. snapshot: what is served; null before there is a bank.
  std::string Scrape(const Snapshot* snapshot) const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Histogram& retrieve_duration_;
  prometheus::Counter& queries_;
  prometheus::Counter& swaps_;
  prometheus::Counter& banks_refused_;
  prometheus::Counter& log_errors_;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_SERVICE_RETRIEVAL_METRICS_H_
