#include "engine/text/jinja/string_operations.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "engine/base/status_macros.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/unicode.h"

namespace memory3::jinja {
namespace {

// A part costs a string of its own, besides its bytes.
constexpr int64_t kWorkPerPart = 8;

class Parts {
 public:
  Parts(Runtime& runtime, const Text& text) : runtime_(runtime), text_(text) {}

  absl::Status Add(size_t begin, size_t end) {
    M3_RETURN_IF_ERROR(runtime_.Spend(kWorkPerPart));
    M3_RETURN_IF_ERROR(runtime_.SpendBytes(end - begin));
    values_.push_back(Value::OfString(text_.Substring(begin, end)));
    return absl::OkStatus();
  }

  std::vector<Value> Take() { return std::move(values_); }
  std::vector<Value> TakeReversed() {
    std::reverse(values_.begin(), values_.end());
    return std::move(values_);
  }

 private:
  Runtime& runtime_;
  const Text& text_;
  std::vector<Value> values_;
};

absl::Status EmptySeparator() { return absl::InvalidArgumentError("split by an empty string"); }

absl::StatusOr<std::vector<Value>> SplitWhitespace(Runtime& runtime, const Text& text,
                                                   int64_t count) {
  Parts parts(runtime, text);
  const std::string_view bytes = text.bytes();
  size_t position = StripRange(bytes, nullptr, true, false).begin;
  for (int64_t done = 0; position < bytes.size(); ++done) {
    if (done == count) {
      M3_RETURN_IF_ERROR(parts.Add(position, bytes.size()));
      break;
    }
    size_t end = position;
    while (end < bytes.size() && !IsSpace(DecodeAt(bytes, end).value)) {
      end += DecodeAt(bytes, end).length;
    }
    M3_RETURN_IF_ERROR(parts.Add(position, end));
    position = end + StripRange(bytes.substr(end), nullptr, true, false).begin;
  }
  return parts.Take();
}

absl::StatusOr<std::vector<Value>> SplitWhitespaceFromRight(Runtime& runtime, const Text& text,
                                                            int64_t count) {
  Parts parts(runtime, text);
  const std::string_view bytes = text.bytes();
  size_t end = StripRange(bytes, nullptr, false, true).end;
  for (int64_t done = 0; end > 0; ++done) {
    if (done == count) {
      M3_RETURN_IF_ERROR(parts.Add(0, end));
      break;
    }
    size_t begin = end;
    while (begin > 0) {
      const ByteRange rest = StripRange(bytes.substr(0, begin), nullptr, false, true);
      if (rest.end != begin) break;
      --begin;
      while (begin > 0 && (static_cast<uint8_t>(bytes[begin]) & 0xC0) == 0x80) --begin;
    }
    M3_RETURN_IF_ERROR(parts.Add(begin, end));
    end = StripRange(bytes.substr(0, begin), nullptr, false, true).end;
  }
  return parts.TakeReversed();
}

}  // namespace

Text Strip(const Text& text, const Text* chars, bool left, bool right) {
  const std::string_view set = chars == nullptr ? std::string_view() : chars->bytes();
  const ByteRange range = StripRange(text.bytes(), chars == nullptr ? nullptr : &set, left, right);
  return text.Substring(range.begin, range.end);
}

absl::StatusOr<Text> Replace(Runtime& runtime, const Text& text, std::string_view from,
                             const Text& to, int64_t count) {
  const std::string& bytes = text.bytes();
  Text out;
  size_t copied = 0;
  size_t position = 0;
  for (int64_t done = 0; done != count; ++done) {
    // An empty string is found before every character and at the end.
    const size_t found = from.empty() ? position : bytes.find(from, position);
    if (found == std::string::npos || found > bytes.size()) break;
    M3_RETURN_IF_ERROR(runtime.SpendBytes(found - copied + to.size()));
    out.AppendRange(text, copied, found);
    out.Append(to);
    copied = found + from.size();
    if (!from.empty()) {
      position = copied;
    } else {
      position = found < bytes.size() ? found + DecodeAt(bytes, found).length : found + 1;
    }
  }
  M3_RETURN_IF_ERROR(runtime.SpendBytes(bytes.size() - copied));
  out.AppendRange(text, copied, bytes.size());
  return out;
}

absl::StatusOr<std::vector<Value>> Split(Runtime& runtime, const Text& text, const Text* separator,
                                         int64_t count) {
  if (separator == nullptr) return SplitWhitespace(runtime, text, count);
  if (separator->empty()) return EmptySeparator();
  Parts parts(runtime, text);
  size_t begin = 0;
  for (int64_t done = 0; done != count; ++done) {
    const size_t found = text.bytes().find(separator->bytes(), begin);
    if (found == std::string::npos) break;
    M3_RETURN_IF_ERROR(parts.Add(begin, found));
    begin = found + separator->size();
  }
  M3_RETURN_IF_ERROR(parts.Add(begin, text.size()));
  return parts.Take();
}

absl::StatusOr<std::vector<Value>> SplitFromRight(Runtime& runtime, const Text& text,
                                                  const Text* separator, int64_t count) {
  if (separator == nullptr) return SplitWhitespaceFromRight(runtime, text, count);
  if (separator->empty()) return EmptySeparator();
  Parts parts(runtime, text);
  const std::string_view bytes = text.bytes();
  size_t end = text.size();
  for (int64_t done = 0; done != count; ++done) {
    const size_t found = bytes.substr(0, end).rfind(separator->bytes());
    if (found == std::string_view::npos) break;
    M3_RETURN_IF_ERROR(parts.Add(found + separator->size(), end));
    end = found;
  }
  M3_RETURN_IF_ERROR(parts.Add(0, end));
  return parts.TakeReversed();
}

absl::StatusOr<Text> Join(Runtime& runtime, const Text& separator,
                          const std::vector<Value>& parts) {
  Text out;
  for (size_t i = 0; i < parts.size(); ++i) {
    M3_RETURN_IF_ERROR(runtime.SpendBytes(separator.size()));
    if (i > 0) out.Append(separator);
    M3_ASSIGN_OR_RETURN(const Text part, ToText(runtime, parts[i]));
    out.Append(part);
  }
  return out;
}

}  // namespace memory3::jinja
