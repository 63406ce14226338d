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

// The time during which every request was decoding: (end of the last prompt, first last token].
struct Window {
  absl::Time begin = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
};

Window DecodeWindow(absl::Span<const RequestSample* const> samples) {
  Window window;
  for (const RequestSample* sample : samples) {
    window.begin = std::max(window.begin, sample->first());
    window.end = std::min(window.end, sample->last());
  }
  return window;
}

// Fills in the figures that need a time at which all requests were decoding.
void SummarizePhases(absl::Span<const RequestSample* const> samples, absl::Time start,
                     LoadSummary* summary) {
  const Window window = DecodeWindow(samples);
  if (window.begin > window.end) return;  // not all were under way together
  int64_t prompt_tokens = 0;
  int64_t decoded = 0;
  double context = 0;
  for (const RequestSample* sample : samples) {
    prompt_tokens += sample->prompt_tokens;
    int before = 0;
    int inside = 0;
    for (const TokenArrival& arrival : sample->arrivals) {
      if (arrival.time <= window.begin) {
        before += arrival.tokens;
      } else if (arrival.time <= window.end) {
        inside += arrival.tokens;
      }
    }
    decoded += inside;
    context += sample->prompt_tokens + before + inside / 2.0;
  }
  summary->prompt_tokens_per_second =
      static_cast<double>(prompt_tokens) / absl::ToDoubleSeconds(window.begin - start);
  if (window.begin == window.end) return;  // answers of one token: nothing to decode
  summary->decode_tokens_per_second =
      static_cast<double>(decoded) / absl::ToDoubleSeconds(window.end - window.begin);
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
  }
  summary.finished = static_cast<int>(finished.size());
  summary.ttft = Percentiles(std::move(ttft));
  summary.itl = Percentiles(std::move(itl));
  if (finished.empty()) return summary;
  summary.wall = end - start;
  summary.output_tokens_per_second =
      static_cast<double>(summary.output_tokens) / absl::ToDoubleSeconds(summary.wall);
  SummarizePhases(finished, start, &summary);
  return summary;
}

}  // namespace memory3
