#include "bench/retrieval_synthetic.h"

#include <algorithm>
#include <cmath>

namespace memory3 {
namespace {

constexpr int64_t kPerSubject = 100;
constexpr float kSpread = 0.75f;  // of a vector around its centre, which has length 1
constexpr int kVocabulary = 50'000, kSubjectWords = 40, kTextWords = 60;

std::mt19937_64 RandomOf(int64_t i, uint64_t purpose) {
  return std::mt19937_64(static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15u + purpose);
}

void ScaleToUnit(absl::Span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * x;
  for (float& x : vector) x = static_cast<float>(x / std::sqrt(squares));
}

// Words of two to four syllables, different for each number.
std::string Spell(int word) {
  constexpr char kConsonants[] = "bdfgklmnprstvz", kVowels[] = "aeiou";
  std::string text;
  for (uint32_t rest = static_cast<uint32_t>(word) + 70; rest > 0; rest /= 70) {
    text += kConsonants[rest % 14];
    text += kVowels[rest / 14 % 5];
  }
  return text;
}

}  // namespace

ClusteredVectors::ClusteredVectors(int64_t count, int dimensions) : dimensions_(dimensions) {
  const auto centers = static_cast<size_t>(std::max<int64_t>(count / kPerSubject, 1));
  centers_.resize(centers * static_cast<size_t>(dimensions));
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  for (float& x : centers_) x = normal(random);
  for (size_t i = 0; i < centers; ++i) {
    ScaleToUnit(absl::MakeSpan(centers_).subspan(i * static_cast<size_t>(dimensions),
                                                 static_cast<size_t>(dimensions)));
  }
}

void ClusteredVectors::Make(int64_t i, absl::Span<float> out) const {
  std::mt19937_64 random = RandomOf(i, 2);
  std::normal_distribution<float> normal(0, kSpread / std::sqrt(static_cast<float>(dimensions_)));
  const size_t center = random() % (centers_.size() / out.size());
  for (size_t d = 0; d < out.size(); ++d) {
    out[d] = centers_[center * out.size() + d] + normal(random);
  }
  ScaleToUnit(out);
}

SyntheticTexts::SyntheticTexts(int64_t count)
    : subjects_(std::max<int64_t>(count / kPerSubject, 1)) {
  double sum = 0;
  for (int i = 0; i < kVocabulary; ++i) frequencies_.push_back(sum += 1.0 / (i + 3));
}

std::vector<int> SyntheticTexts::WordsOf(int64_t i) const {
  std::mt19937_64 random = RandomOf(i, 3);
  std::uniform_real_distribution<double> share(0, frequencies_.back());
  const auto subject = static_cast<int64_t>(random() % static_cast<uint64_t>(subjects_));
  std::vector<int> words;
  for (int w = 0; w < kTextWords; ++w) {
    if (w % 2 == 0) {
      std::mt19937_64 own = RandomOf(subject, 4 + random() % kSubjectWords);
      words.push_back(static_cast<int>(own() % kVocabulary));
    } else {
      words.push_back(static_cast<int>(
          std::lower_bound(frequencies_.begin(), frequencies_.end(), share(random)) -
          frequencies_.begin()));
    }
  }
  return words;
}

std::string SyntheticTexts::Reference(int64_t i) const {
  std::string text;
  for (const int word : WordsOf(i)) text += Spell(word) + " ";
  return text;
}

std::string SyntheticTexts::Query(int64_t reference) const {
  std::vector<int> words = WordsOf(reference);
  std::mt19937_64 random = RandomOf(reference, 1000);
  std::shuffle(words.begin(), words.end(), random);
  words.resize(kTextWords / 2);
  std::string text;
  for (const int word : words) text += Spell(word) + " ";
  return text;
}

}  // namespace memory3
