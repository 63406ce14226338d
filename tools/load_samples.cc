#include "tools/load_samples.h"

#include <algorithm>
#include <utility>

namespace memory3 {
namespace {

void AppendGaps(const RequestSample& sample, std::vector<double>* gaps) {
  for (size_t i = 1; i < sample.arrivals.size(); ++i) {
    const TokenArrival& arrival = sample.arrivals[i];
    const double gap = absl::ToDoubleSeconds(arrival.time - sample.arrivals[i - 1].time);
    gaps->insert(gaps->end(), arrival.tokens, gap / arrival.tokens);
  }
}

// The figures that need all requests under way together, in two phases: until the last of them has
// its first token, and from then until the first of them has its last one.
void SummarizePhases(absl::Span<const RequestSample* const> samples, LoadSummary* summary) {
  absl::Time first_start = absl::InfiniteFuture();
  absl::Time last_start = absl::InfinitePast();
  absl::Time earliest_first = absl::InfiniteFuture();
  absl::Time begin = absl::InfinitePast();  // of the phase in which all decode
  absl::Time end = absl::InfiniteFuture();
  int64_t prompt_tokens = 0;
  for (const RequestSample* sample : samples) {
    first_start = std::min(first_start, sample->start);
    last_start = std::max(last_start, sample->start);
    earliest_first = std::min(earliest_first, sample->first());
    begin = std::max(begin, sample->first());
    end = std::min(end, sample->last());
    prompt_tokens += sample->prompt_tokens;
  }
  if (last_start <= earliest_first) {
    summary->prompt_tokens_per_second =
        static_cast<double>(prompt_tokens) / absl::ToDoubleSeconds(begin - first_start);
  }
  if (begin >= end) return;
  int64_t decoded = 0;
  double context = 0;
  for (const RequestSample* sample : samples) {
    int before = 0;
    int inside = 0;
    for (const TokenArrival& arrival : sample->arrivals) {
      if (arrival.time <= begin) {
        before += arrival.tokens;
      } else if (arrival.time <= end) {
        inside += arrival.tokens;
      }
    }
    decoded += inside;
    context += sample->prompt_tokens + before + inside / 2.0;
  }
  summary->decode_tokens_per_second =
      static_cast<double>(decoded) / absl::ToDoubleSeconds(end - begin);
  summary->mean_decode_context = context / static_cast<double>(samples.size());
}

}  // namespace

int RequestSample::tokens() const {
  int count = 0;
  for (const TokenArrival& arrival : arrivals) count += arrival.tokens;
  return count;
}

LoadSummary Summarize(absl::Span<const RequestSample> samples) {
  LoadSummary summary;
  std::vector<const RequestSample*> finished;
  std::vector<double> ttft;
  std::vector<double> itl;
  absl::Duration waited, taken;
  absl::Time start = absl::InfiniteFuture();
  absl::Time end = absl::InfinitePast();
  for (const RequestSample& sample : samples) {
    if (!sample.error.empty() || sample.arrivals.empty()) {
      ++summary.errors[sample.error.empty() ? "no tokens" : sample.error];
      continue;
    }
    finished.push_back(&sample);
    summary.output_tokens += sample.tokens();
    start = std::min(start, sample.start);
    end = std::max(end, sample.last());
    ttft.push_back(absl::ToDoubleSeconds(sample.first() - sample.start));
    AppendGaps(sample, &itl);
    waited += sample.memory_wait;
    taken += sample.last() - sample.first();
  }
  summary.finished = static_cast<int>(finished.size());
  summary.ttft = Percentiles(std::move(ttft));
  summary.itl = Percentiles(std::move(itl));
  if (finished.empty()) return summary;
  summary.wall = end - start;
  summary.output_tokens_per_second =
      static_cast<double>(summary.output_tokens) / absl::ToDoubleSeconds(summary.wall);
  if (taken > absl::ZeroDuration()) {
    summary.memory_wait_share = absl::FDivDuration(waited, taken);
  }
  SummarizePhases(finished, &summary);
  return summary;
}

}  // namespace memory3
