// Questions whose supporting passages are known, for measuring retrieval.
#ifndef MEMORY3_BENCH_RETRIEVAL_QA_H_
#define MEMORY3_BENCH_RETRIEVAL_QA_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace memory3 {

struct QaQuestion {
  std::string text;
  std::vector<int> passages;  // that support the answer
};

struct QaSet {
  std::string name;
  std::vector<std::string> passages;
  std::vector<QaQuestion> questions;
};

// HotpotQA: questions with "supporting_facts", passages by title. A passage's text is its title, a
// full stop and its sentences.
absl::StatusOr<QaSet> LoadHotpot(const std::filesystem::path& questions,
                                 const std::filesystem::path& corpus);
// SQuAD's layout (XQuAD, CMRC 2018): every paragraph is a passage and supports its own questions.
absl::StatusOr<QaSet> LoadSquad(const std::filesystem::path& file);
// Files of memory3_training.world: the encyclopaedia's articles as the bank embeds them, and the
// questions about held-out entities as the engine asks for them, in the words of its chat template.
absl::StatusOr<QaSet> LoadWorld(const std::filesystem::path& folder);

}  // namespace memory3

#endif  // MEMORY3_BENCH_RETRIEVAL_QA_H_
