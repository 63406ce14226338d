// Finds the stop strings of one answer in text that arrives piece by piece.
//
//   StopMatcher matcher({"\n\n", "User:"});
//   StopMatcher::Result result = matcher.Push(piece);
//   Emit(result.text);                       // may be empty while a stop string could be forming
//   if (result.stop) ...                     // the answer ended before stop string *result.stop
//   Emit(matcher.Finish());                  // end of the answer by any other reason
//
// The match is the one that is complete first, byte by byte; of several that end at the same byte,
// the longest. The result therefore depends on the text alone, never on how it was cut into pieces.
// What is held back is the longest suffix of the text that is the beginning of a stop string, so a
// stream is delayed by less than the longest stop string and no stop string is ever half emitted.
// With whole characters in the pieces and UTF-8 stop strings, whole characters come out.
//
// Linear in the text times the number of stop strings, however repetitive either is. Without stop
// strings the pieces pass through. Not thread-safe; one per answer.
#ifndef MEMORY3_ENGINE_TEXT_STOP_MATCHER_H_
#define MEMORY3_ENGINE_TEXT_STOP_MATCHER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace memory3 {

class StopMatcher {
 public:
  struct Result {
    std::string text;         // safe to emit now
    std::optional<int> stop;  // index of the stop string that ended the answer
  };

  // An empty stop string never matches.
  explicit StopMatcher(std::vector<std::string> stops);

  // After a match every further call returns no text and the same stop string.
  Result Push(std::string_view piece);

  // The text held back: nothing can complete a stop string any more. Empty after a match.
  std::string Finish();

 private:
  // One stop string's Knuth-Morris-Pratt automaton.
  struct Pattern {
    std::string text;
    std::vector<uint32_t> border;  // border[n]: longest proper border of the first n + 1 bytes
    size_t matched = 0;            // longest prefix of `text` that the input now ends with
  };

  static Pattern Compile(std::string text);
  static void Advance(Pattern& pattern, char byte);
  // Index of the longest stop string that ends at the current byte.
  std::optional<int> CompletedStop() const;
  size_t LongestPartialMatch() const;

  std::vector<Pattern> patterns_;
  std::string held_back_;
  std::optional<int> stop_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_STOP_MATCHER_H_
