#include "engine/text/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace memory3 {
namespace {

// The insides of classes. Each ends with a range, so that a '-' behind it stays a literal.
//
// \w: letters, marks, digits, connectors and the letters in circles and squares; PCRE2's own holds
// none of the latter, and differs between its versions. Outside of a class it holds the other
// numbers of Latin-1 too.
constexpr char kWord[] =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
    "\\x{1F170}-\\x{1F189}\\x{24B6}-\\x{24E9}";
constexpr char kLatin1Numbers[] = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
// \s: the White_Space property. PCRE2's holds U+180E too.
constexpr char kSpace[] =
    "\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{2000}-\\x{200A}"
    "\\x{09}-\\x{0D}";
constexpr char kNotSpace[] =
    "\\x{00}-\\x{08}\\x{0E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}"
    "\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}"
    "\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}";
constexpr char kHexDigit[] = "0-9A-Fa-f";   // \h, which is horizontal space to PCRE2
constexpr char kVerticalTab[] = "\\x{0B}";  // \v, which is any vertical space to PCRE2

// Escaped letters and digits that mean the same to both.
constexpr std::string_view kSameEscapes = "dDbBAzZGnrtfaeRXKxgk0123456789";

bool Compiles(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE position = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &position, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

absl::Status Unsupported(std::string_view pattern, const std::string& construct) {
  return absl::InvalidArgumentError(absl::StrCat("regular expression '", std::string(pattern),
                                                 "': ", construct, " is not supported"));
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  absl::StatusOr<std::string> Run() {
    while (position_ < pattern_.size()) M3_RETURN_IF_ERROR(Step());
    return std::move(result_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return position_ + ahead < pattern_.size() ? pattern_[position_ + ahead] : '\0';
  }
  bool LooksAt(std::string_view text) const {
    return pattern_.substr(position_, text.size()) == text;
  }
  void Copy(size_t count) {
    result_ += pattern_.substr(position_, count);
    position_ += count;
  }
  absl::Status Refuse(const std::string& construct) const {
    return Unsupported(pattern_, construct);
  }

  absl::Status Step() {
    if (Peek() == '\\') return Escape();
    if (depth_ > 0) return InsideClass();
    if (LooksAt("(?")) return Group();
    if (Peek() == '{') return Interval();
    if (Peek() == '[') return OpenClass(), absl::OkStatus();
    return Copy(1), absl::OkStatus();
  }

  void OpenClass() {
    depth_ = 1;
    Copy(Peek(1) == '^' ? 2 : 1);
    if (Peek() == ']') Copy(1);  // a literal in the first place
  }

  // A class inside a class adds its characters, so that its brackets can go.
  absl::Status InsideClass() {
    if (LooksAt("&&")) return Refuse("&& in a class");
    if (LooksAt("[:")) return Refuse("a POSIX class");
    if (LooksAt("[^")) return Refuse("a negated class in a class");
    const char c = Peek();
    if (c == '[') {
      ++depth_;
      ++position_;
    } else if (c == ']' && --depth_ > 0) {
      ++position_;
    } else {
      Copy(1);
    }
    return absl::OkStatus();
  }

  std::string Word() const { return absl::StrCat(depth_ > 0 ? "" : kLatin1Numbers, kWord); }

  void Class(const std::string& inside, bool negated) {
    if (depth_ > 0) {
      result_ += inside;
    } else {
      absl::StrAppend(&result_, negated ? "[^" : "[", inside, "]");
    }
    position_ += 2;
  }

  absl::Status Escape() {
    const char c = Peek(1);
    switch (c) {
      case 'w':
        return Class(Word(), false), absl::OkStatus();
      case 's':
        return Class(kSpace, false), absl::OkStatus();
      case 'S':
        return Class(kNotSpace, false), absl::OkStatus();
      case 'h':
        return Class(kHexDigit, false), absl::OkStatus();
      case 'W':
      case 'H':
        if (depth_ > 0) return Refuse(absl::StrCat("\\", std::string(1, c), " in a class"));
        return Class(c == 'W' ? Word() : kHexDigit, true), absl::OkStatus();
      case 'v':
        result_ += kVerticalTab;
        position_ += 2;
        return absl::OkStatus();
      case 'p':
      case 'P':
        return Property();
      case 'u':
        return CodePoint();
      default:
        if (absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
            kSameEscapes.find(c) == std::string_view::npos) {
          return Refuse(absl::StrCat("\\", std::string(1, c)));
        }
        Copy(2);
        return absl::OkStatus();
    }
  }

  // A script's name means its own characters alone; PCRE2 adds those it shares with others.
  absl::Status Property() {
    const size_t close = pattern_.find('}', position_);
    if (Peek(2) != '{' || close == std::string_view::npos) return Refuse("\\p without {}");
    const bool caret = Peek(3) == '^';
    const size_t begin = position_ + (caret ? 4 : 3);
    const std::string name(pattern_.substr(begin, close - begin));
    const bool is_script = name.size() > 2 && Compiles(absl::StrCat("\\p{sc:", name, "}"));
    absl::StrAppend(&result_, "\\", std::string(1, Peek(1)), caret ? "{^" : "{",
                    is_script ? "sc:" : "", name, "}");
    position_ = close + 1;
    return absl::OkStatus();
  }

  absl::Status CodePoint() {
    const std::string digits(pattern_.substr(position_ + 2, 4));
    if (digits.size() != 4 || digits.find_first_not_of("0123456789ABCDEFabcdef") != digits.npos) {
      return Refuse("\\u without four hexadecimal digits");
    }
    absl::StrAppend(&result_, "\\x{", digits, "}");
    position_ += 6;
    return absl::OkStatus();
  }

  // In flags, m lets the dot match a line's end, which is s to PCRE2.
  absl::Status Group() {
    size_t end = position_ + 2;
    while (end < pattern_.size() &&
           (absl::ascii_isalpha(static_cast<unsigned char>(pattern_[end])) || pattern_[end] == '-'))
      ++end;
    const char after = end < pattern_.size() ? pattern_[end] : '\0';
    if (end == position_ + 2 || (after != ':' && after != ')')) {
      Copy(2);
      return absl::OkStatus();
    }
    if (after == ')' && position_ > 0) return Refuse("a switch of flags inside the pattern");
    Copy(2);
    for (; position_ < end; ++position_) {
      if (Peek() != 'i' && Peek() != 'm' && Peek() != 'x' && Peek() != '-') {
        return Refuse(absl::StrCat("the flag ", std::string(1, Peek())));
      }
      result_ += Peek() == 'm' ? 's' : Peek();
    }
    return absl::OkStatus();
  }

  // X{n,m}+ repeats X{n,m}; to PCRE2 it is X{n,m} without going back.
  absl::Status Interval() {
    const size_t close = pattern_.find('}', position_);
    const std::string inside(pattern_.substr(
        position_ + 1, close == std::string_view::npos ? 0 : close - position_ - 1));
    const size_t comma = inside.find(',');
    const bool exact = comma == std::string::npos;
    const std::string least = inside.substr(0, comma);
    const std::string most = exact ? least : inside.substr(comma + 1);
    const bool numbers = (least + most).find_first_not_of("0123456789") == std::string::npos;
    if (least.empty() && most.empty()) return Brace();
    if (!numbers) return Brace();
    position_ = close + 1;
    const std::string from = least.empty() ? "0" : least;
    if (Peek() == '?' && exact) return Refuse("{n}?");
    if (Peek() != '+') {
      absl::StrAppend(&result_, "{", from, exact ? "" : ",", exact ? "" : most, "}");
      return absl::OkStatus();
    }
    ++position_;
    const bool every_count = (from == "0" && most != "0") || from == "1" || most.empty();
    if (!every_count) return Refuse("{n,m}+ with n above 1");
    absl::StrAppend(&result_, "{", from, ",}");
    return absl::OkStatus();
  }

  absl::Status Brace() {  // one that opens no interval
    result_ += "\\{";
    ++position_;
    return absl::OkStatus();
  }

  const std::string_view pattern_;
  size_t position_ = 0;
  int depth_ = 0;  // of classes
  std::string result_;
};

}  // namespace

absl::StatusOr<std::string> TranslateRegex(std::string_view pattern) {
  return Translator(pattern).Run();
}

}  // namespace memory3
