// An encyclopaedia and questions about it, read from the files that the training code's invented
// world is written to.
#ifndef MEMORY3_TOOLS_EVALUATE_WORLD_FILES_H_
#define MEMORY3_TOOLS_EVALUATE_WORLD_FILES_H_

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

namespace memory3 {

// What is in the training text and the bank, in the bank only, in neither.
enum class Split { kTrain, kHeldOut, kAbsent };
inline constexpr std::array<Split, 3> kSplits = {Split::kTrain, Split::kHeldOut, Split::kAbsent};
const char* SplitName(Split split);  // "train", "held_out", "absent", as the files spell it

// A line of the encyclopaedia; what memory3-bank makes references of.
struct Article {
  std::string id;  // the entity's
  std::string title;
  std::string text;
  std::string kind;      // "person"; may be empty
  std::string language;  // "en"; may be empty
};

// A line of the questions.
struct Question {
  std::string entity_id;
  std::string entity;  // its name; may be empty
  Split split = Split::kHeldOut;
  std::string kind, language, attribute;
  std::string text;
  std::string answer;    // the bare value; of an absent entity: that it is not known
  std::string sentence;  // the same as a whole sentence; may be empty
};

struct World {
  std::vector<Article> articles;
  std::vector<Question> questions;
  absl::flat_hash_map<std::string, int> article_of;  // entity id to index into articles
  // The answers of absent entities, as NormalizedAnswer: how the world says "I do not know."
  absl::flat_hash_set<std::string> unknown_answers;
};

// .jsonl files, an object per line:
//   encyclopaedia  text; id and title; optionally kind, language
//   questions      entity_id, split, question, answer; optionally entity, kind, language,
//                  attribute, sentence
// InvalidArgument naming file and line, also for a question whose article is missing (or there,
// for an absent entity).
absl::StatusOr<World> ReadWorld(const std::filesystem::path& encyclopaedia,
                                const std::filesystem::path& questions);

}  // namespace memory3

#endif  // MEMORY3_TOOLS_EVALUATE_WORLD_FILES_H_
