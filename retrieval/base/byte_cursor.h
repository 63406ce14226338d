// Little-endian numbers to and from bytes. Reading past the end gives zeros and is remembered, so
// that a parser checks once at the end of a group instead of after every number.
#ifndef MEMORY3_RETRIEVAL_BASE_BYTE_CURSOR_H_
#define MEMORY3_RETRIEVAL_BASE_BYTE_CURSOR_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace memory3 {

static_assert(std::endian::native == std::endian::little);

template <typename Number>
void AppendNumber(Number value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

class ByteCursor {
 public:
  explicit ByteCursor(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number Next() {
    Number value{};
    if (bytes_.size() < sizeof(value)) {
      overrun_ = true;
      bytes_ = {};
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_.remove_prefix(sizeof(value));
    return value;
  }
  std::string_view NextBytes(size_t count) {
    if (bytes_.size() < count) {
      overrun_ = true;
      count = bytes_.size();
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  // True when every byte was read and none beyond.
  bool AtEnd() const { return bytes_.empty() && !overrun_; }
  bool overrun() const { return overrun_; }

 private:
  std::string_view bytes_;
  bool overrun_ = false;
};

}  // namespace memory3

#endif  // MEMORY3_RETRIEVAL_BASE_BYTE_CURSOR_H_
