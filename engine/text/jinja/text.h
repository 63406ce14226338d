// A string that knows where each of its bytes came from: the template, or the conversation.
//
// The origin follows the bytes through every operation, so that the text a user wrote is still
// known as such after trimming, splitting, joining or JSON escaping. Runs of one origin are stored,
// not bytes, so an ordinary string costs one run.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_TEXT_H_
#define MEMORY3_ENGINE_TEXT_JINJA_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace memory3::jinja {

enum class Origin : uint8_t { kTemplate, kConversation };

class Text {
 public:
  struct Run {
    uint32_t end;  // one past the run's last byte; it begins where the run before it ends
    Origin origin;
  };

  Text() = default;
  Text(std::string_view bytes, Origin origin) { Append(bytes, origin); }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Run>& runs() const { return runs_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  // Precondition: offset < size().
  Origin OriginAt(size_t offset) const;

  void Append(std::string_view bytes, Origin origin);
  void Append(const Text& other) { AppendRange(other, 0, other.size()); }
  // Bytes [begin, end) of `other`, with their origins.
  void AppendRange(const Text& other, size_t begin, size_t end);
  Text Substring(size_t begin, size_t end) const;

 private:
  std::vector<Run>::const_iterator RunAt(size_t offset) const;

  std::string bytes_;
  std::vector<Run> runs_;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_TEXT_H_
