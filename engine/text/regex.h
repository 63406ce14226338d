// A regular expression of tokenizer.json, compiled once with PCRE2 and matched from any thread.
#ifndef MEMORY3_ENGINE_TEXT_REGEX_H_
#define MEMORY3_ENGINE_TEXT_REGEX_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace memory3 {

class Regex {
 public:
  // `pattern` is in Oniguruma's syntax (regex_syntax.h). InvalidArgument says what is wrong with
  // it.
  static absl::StatusOr<Regex> Compile(std::string_view pattern);
  // Matches the text literally.
  static absl::StatusOr<Regex> Literal(std::string_view text);

  struct Match {
    size_t begin;
    size_t end;
  };
  // The first match at or after `from` in a valid UTF-8 text. No match, and a pattern that exceeds
  // PCRE2's own limits on a hostile text, are nullopt.
  std::optional<Match> Find(std::string_view text, size_t from) const;

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

 private:
  class Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace memory3

#endif  // MEMORY3_ENGINE_TEXT_REGEX_H_
