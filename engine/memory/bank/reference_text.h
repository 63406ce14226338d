// A reference as people know it.
#ifndef MEMORY3_ENGINE_MEMORY_BANK_REFERENCE_TEXT_H_
#define MEMORY3_ENGINE_MEMORY_BANK_REFERENCE_TEXT_H_

#include <string>

namespace memory3 {

// All strings are valid UTF-8.
struct ReferenceText {
  std::string text;
  std::string title;      // may be empty, as the two below
  std::string source;     // where it comes from: a file's name, a URL
  std::string source_id;  // the id it has there
  int tokens = 0;         // of the text, by the model's tokenizer
  bool operator==(const ReferenceText&) const = default;
};

// What retrieval compares with a query: a title says what a paragraph is about that itself only
// says "he" or "it".
inline std::string RetrievalText(const ReferenceText& reference) {
  return reference.title.empty() ? reference.text : reference.title + "\n" + reference.text;
}

}  // namespace memory3

#endif  // MEMORY3_ENGINE_MEMORY_BANK_REFERENCE_TEXT_H_
