#include "tools/evaluate/drawing.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "engine/base/check.h"

namespace memory3 {
namespace {

// std::shuffle and the standard distributions differ from library to library; these do not.
size_t Below(std::mt19937_64& random, size_t bound) { return random() % bound; }

template <typename T>
void Shuffle(std::vector<T>* items, std::mt19937_64& random) {
  for (size_t left = items->size(); left > 1; --left) {
    std::swap((*items)[left - 1], (*items)[Below(random, left)]);
  }
}

std::vector<std::string> WordsOf(const std::string& title) {
  // Chinese names of foreign form have a dot between their parts.
  return absl::StrSplit(absl::StrReplaceAll(title, {{"·", " "}}), ' ', absl::SkipEmpty());
}

std::string GroupOf(const std::string& kind, const std::string& language) {
  return absl::StrCat(kind, "/", language);
}

// Articles by a word of the title, and by kind and language.
class LikeArticles {
 public:
  explicit LikeArticles(const World& world) : world_(world) {
    for (size_t i = 0; i < world.articles.size(); ++i) {
      const Article& article = world.articles[i];
      for (const std::string& word : WordsOf(article.title)) by_word_[word].push_back(i);
      by_group_[GroupOf(article.kind, article.language)].push_back(i);
      all_.push_back(i);
    }
  }

  // kWrongReferences articles other than `right`.
  std::vector<int> Wrong(const Question& question, int right, std::mt19937_64& random) const {
    std::vector<int> wrong;
    const auto take = [&](int article) {
      if (article == right || wrong.size() == kWrongReferences) return;
      if (std::find(wrong.begin(), wrong.end(), article) == wrong.end()) wrong.push_back(article);
    };
    std::vector<int> like = SharingAWord(question);
    Shuffle(&like, random);
    for (const int article : like) take(article);
    const auto group = by_group_.find(GroupOf(question.kind, question.language));
    const bool enough = group != by_group_.end() && group->second.size() > kWrongReferences;
    const std::vector<int>& pool = enough ? group->second : all_;
    while (wrong.size() < kWrongReferences) take(pool[Below(random, pool.size())]);
    return wrong;
  }

 private:
  std::vector<int> SharingAWord(const Question& question) const {
    std::vector<int> like;
    for (const std::string& word : WordsOf(question.entity)) {
      const auto found = by_word_.find(word);
      if (found == by_word_.end()) continue;
      for (const int article : found->second) {
        const Article& one = world_.articles[article];
        if (one.kind == question.kind && one.language == question.language) like.push_back(article);
      }
    }
    return like;
  }

  const World& world_;
  absl::flat_hash_map<std::string, std::vector<int>> by_word_, by_group_;
  std::vector<int> all_;
};

// Indexes of the split's questions, in rounds: each entity's first one, then each one's second.
std::vector<int> InRounds(const World& world, Split split, std::mt19937_64& random) {
  std::vector<int> order;
  for (size_t i = 0; i < world.questions.size(); ++i) {
    if (world.questions[i].split == split) order.push_back(static_cast<int>(i));
  }
  Shuffle(&order, random);
  absl::flat_hash_map<std::string, int> asked;
  std::vector<std::pair<int, int>> by_round;
  for (const int question : order) {
    by_round.emplace_back(asked[world.questions[question].entity_id]++, question);
  }
  std::stable_sort(by_round.begin(), by_round.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < order.size(); ++i) order[i] = by_round[i].second;
  return order;
}

std::string AttributeOf(const Question& question) {
  return absl::StrCat(GroupOf(question.kind, question.language), "/", question.attribute);
}

}  // namespace

std::vector<DrawnQuestion> DrawQuestions(const World& world, Split split, int count,
                                         uint64_t seed) {
  M3_CHECK(world.articles.size() > kWrongReferences);
  std::mt19937_64 random(seed);
  const LikeArticles like(world);
  std::vector<int> order = InRounds(world, split, random);
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  std::vector<DrawnQuestion> drawn;
  for (const int index : order) {
    const Question& question = world.questions[index];
    DrawnQuestion& one = drawn.emplace_back();
    one.question = index;
    if (split != Split::kAbsent) one.right = world.article_of.at(question.entity_id);
    one.wrong = like.Wrong(question, one.right, random);
    one.place_of_right = static_cast<int>(Below(random, kDistractors + 1));
  }
  return drawn;
}

double AccuracyByGuessing(const World& world, absl::Span<const DrawnQuestion> drawn) {
  absl::flat_hash_map<std::string, absl::flat_hash_map<std::string, int>> answers;
  for (const Question& question : world.questions) {
    if (question.split != Split::kAbsent) ++answers[AttributeOf(question)][question.answer];
  }
  double right = 0;
  for (const DrawnQuestion& one : drawn) {
    int most = 0, all = 0;
    for (const auto& [answer, times] : answers[AttributeOf(world.questions[one.question])]) {
      most = std::max(most, times);
      all += times;
    }
    if (all > 0) right += static_cast<double>(most) / all;
  }
  return drawn.empty() ? 0 : right / static_cast<double>(drawn.size());
}

}  // namespace memory3
