#include "tools/engine_load.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tools/active_count.h"

namespace memory3 {
namespace {

GenerationRequest ToRequest(const PlannedRequest& planned, int index, uint64_t seed, int vocab,
                            const MemoryRequest& memory) {
  GenerationRequest request;
  request.prompt = RandomPrompt(seed, index, planned.prompt_tokens, vocab);
  request.sampling.temperature = 0;
  request.max_tokens = planned.generate_tokens;
  request.ignore_eos = true;
  request.memory = memory;
  return request;
}

// Records what the stream holds; true when that was the end of it.
bool Drain(GenerationStream& stream, RequestSample* sample) {
  while (std::optional<GenerationEvent> event = stream.TryNext()) {
    if (!event->tokens.empty()) {
      sample->arrivals.push_back({absl::Now(), static_cast<int>(event->tokens.size())});
      for (const TokenInfo& token : event->tokens) sample->answer.push_back(token.id);
    }
    if (!event->status.ok()) sample->error = absl::StatusCodeToString(event->status.code());
    for (const ChunkReport& chunk : event->chunks) {
      if (chunk.first_token >= sample->prompt_tokens) sample->memory_wait += chunk.wait_time;
    }
    if (event->last()) return true;
  }
  return false;
}

}  // namespace

std::vector<RequestSample> RunEngineLoad(Engine& engine, absl::Span<const PlannedRequest> plan,
                                         uint64_t seed, const MemoryRequest& memory) {
  const int vocab = engine.runner_info().vocab;
  std::vector<RequestSample> samples(plan.size());
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < plan.size(); ++i) {
    samples[i].prompt_tokens = plan[i].prompt_tokens;
    samples[i].arrivals.reserve(plan[i].generate_tokens);
    samples[i].answer.reserve(plan[i].generate_tokens);
    requests.push_back(ToRequest(plan[i], static_cast<int>(i), seed, vocab, memory));
  }

  ActiveCount active;
  std::vector<std::shared_ptr<GenerationStream>> streams;
  for (size_t i = 0; i < plan.size(); ++i) {
    samples[i].start = absl::Now();
    absl::StatusOr<Generation> generation = engine.Submit(std::move(requests[i]));
    if (!generation.ok()) {
      samples[i].error = absl::StatusCodeToString(generation.status().code());
      continue;
    }
    active.Add();
    streams.push_back(generation->stream);
    // On the engine thread: there is no cheaper reader.
    streams.back()->SetOnReady([&active, stream = generation->stream.get(), sample = &samples[i]] {
      if (Drain(*stream, sample)) active.Remove();
    });
  }
  active.AwaitAtMost(0);
  // Returns only after the last callback has.
  for (const auto& stream : streams) stream->SetOnReady(nullptr);
  return samples;
}

}  // namespace memory3
