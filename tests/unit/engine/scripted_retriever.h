// A retriever whose answers are a function of the query's text, with faults.
#ifndef MEMORY3_TESTS_UNIT_ENGINE_SCRIPTED_RETRIEVER_H_
#define MEMORY3_TESTS_UNIT_ENGINE_SCRIPTED_RETRIEVER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/memory/retriever.h"
#include "tests/unit/engine/courier.h"
#include "tests/unit/engine/test_bank.h"

namespace memory3 {

// `limit` ids of a bank of `bank_size`, by the text alone; now and then fewer, or one twice.
inline std::vector<RetrievedMemory> IdsFor(const std::string& text, MemoryId bank_size, int limit) {
  uint64_t hash = 1469598103934665603u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  std::vector<RetrievedMemory> ids;
  const int count = hash % 5 == 0 ? limit - 1 : limit;
  for (int i = 0; i < count; ++i) {
    hash = (hash ^ (hash >> 31)) * 0x9e3779b97f4a7c15u;
    ids.push_back({.id = (hash >> 20) % bank_size, .score = 1.0f / static_cast<float>(i + 1)});
    if (hash % 7 == 0) ids.push_back(ids.back());
  }
  return ids;
}

class ScriptedRetriever final : public Retriever {
 public:
  ScriptedRetriever(MemoryId bank_size, int memories_per_chunk, int max_delay_us = 0,
                    uint32_t seed = 1)
      : courier(max_delay_us, seed), bank_size_(bank_size), limit_(memories_per_chunk) {}

  Courier courier;  // brings the answers

  // Changes answers. Called in Retrieve, on the engine thread.
  using Change = std::function<absl::StatusOr<RetrievalAnswer>(RetrievalAnswer right)>;
  void SetChange(Change change) {
    MutexLock lock(mutex_);
    change_ = std::move(change);
  }
  // The queries of every call.
  std::vector<std::vector<std::string>> calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

  void Retrieve(std::vector<std::string> queries, absl::Duration, Done done) override {
    RetrievalAnswer right{.epoch = kTestEpoch};
    for (const std::string& query : queries) {
      right.results.push_back(IdsFor(query, bank_size_, limit_));
    }
    absl::StatusOr<RetrievalAnswer> answer = std::move(right);
    {
      MutexLock lock(mutex_);
      calls_.push_back(std::move(queries));
      if (change_) answer = change_(*std::move(answer));
    }
    courier.Deliver([answer = std::move(answer), done = std::move(done)]() mutable {
      done(std::move(answer));
    });
  }

 private:
  const MemoryId bank_size_;
  const int limit_;
  mutable Mutex mutex_;
  Change change_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::vector<std::string>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace memory3

#endif  // MEMORY3_TESTS_UNIT_ENGINE_SCRIPTED_RETRIEVER_H_
