// Short ways to make the metrics of this server.
#ifndef MEMORY3_SERVER_METRIC_FAMILIES_H_
#define MEMORY3_SERVER_METRIC_FAMILIES_H_

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <string>
#include <utility>

namespace memory3 {

// Upper bounds start, start * factor, ... : equal resolution at every scale.
inline prometheus::Histogram::BucketBoundaries Geometric(double start, double factor, int count) {
  prometheus::Histogram::BucketBoundaries bounds;
  for (double bound = start; count > 0; --count, bound *= factor) bounds.push_back(bound);
  return bounds;
}

inline prometheus::Histogram& AddHistogram(prometheus::Registry& registry, const std::string& name,
                                           const std::string& help,
                                           const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

inline prometheus::Counter& AddCounter(prometheus::Registry& registry, const std::string& name,
                                       const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

// A family of one sample, for values that somebody else keeps.
inline prometheus::MetricFamily Sample(std::string name, std::string help,
                                       prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  metric.counter.value = value;
  return {std::move(name), std::move(help), type, {metric}};
}

}  // namespace memory3

#endif  // MEMORY3_SERVER_METRIC_FAMILIES_H_
