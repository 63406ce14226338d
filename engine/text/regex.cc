#include "engine/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/text/regex_syntax.h"

namespace memory3 {
namespace {

struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

// Match data cannot be shared between threads; a text has thousands of matches, so one is kept per
// thread.
pcre2_match_data* ThreadMatchData() {
  thread_local const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
      pcre2_match_data_create(1, nullptr));
  return data.get();
}

absl::StatusOr<pcre2_code*> CompilePcre2(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE position = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &position, nullptr);
  if (code != nullptr) return code;
  unsigned char message[256];
  pcre2_get_error_message(error, message, sizeof(message));
  return absl::InvalidArgumentError(absl::StrCat("regular expression '", pattern,
                                                 "': ", reinterpret_cast<const char*>(message),
                                                 " at ", position));
}

}  // namespace

class Regex::Impl {
 public:
  explicit Impl(pcre2_code* code) : code_(code) { pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE); }
  ~Impl() { pcre2_code_free(code_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::optional<Match> Find(std::string_view text, size_t from) const {
    pcre2_match_data* data = ThreadMatchData();
    const auto match = [&](uint32_t options) {
      return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                         PCRE2_NO_UTF_CHECK | options, data, nullptr);
    };
    int result = match(0);
    // The interpreter keeps its state on the heap, where there is more room.
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(PCRE2_NO_JIT);
    if (result < 0) return std::nullopt;
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data);
    return Match{offsets[0], offsets[1]};
  }

 private:
  pcre2_code* const code_;
};

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  M3_ASSIGN_OR_RETURN(const std::string translated, TranslateRegex(pattern));
  M3_ASSIGN_OR_RETURN(pcre2_code* const code, CompilePcre2(translated));
  return Regex(std::make_unique<Impl>(code));
}

absl::StatusOr<Regex> Regex::Literal(std::string_view text) {
  // \Q...\E quotes everything but \E itself.
  std::string pattern = "\\Q";
  size_t begin = 0;
  for (size_t end = text.find("\\E"); end != std::string_view::npos;
       end = text.find("\\E", begin)) {
    absl::StrAppend(&pattern, std::string(text.substr(begin, end - begin)), "\\E\\\\E\\Q");
    begin = end + 2;
  }
  absl::StrAppend(&pattern, std::string(text.substr(begin)), "\\E");
  M3_ASSIGN_OR_RETURN(pcre2_code* const code, CompilePcre2(pattern));
  return Regex(std::make_unique<Impl>(code));
}

std::optional<Regex::Match> Regex::Find(std::string_view text, size_t from) const {
  return impl_->Find(text, from);
}

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

}  // namespace memory3
