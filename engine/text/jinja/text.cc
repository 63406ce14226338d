#include "engine/text/jinja/text.h"

#include <algorithm>

#include "engine/base/check.h"

namespace memory3::jinja {

std::vector<Text::Run>::const_iterator Text::RunAt(size_t offset) const {
  return std::upper_bound(runs_.begin(), runs_.end(), offset,
                          [](size_t value, const Run& run) { return value < run.end; });
}

Origin Text::OriginAt(size_t offset) const {
  M3_CHECK(offset < size());
  return RunAt(offset)->origin;
}

void Text::Append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return;
  bytes_.append(bytes);
  if (runs_.empty() || runs_.back().origin != origin) runs_.push_back({0, origin});
  runs_.back().end = static_cast<uint32_t>(bytes_.size());
}

void Text::AppendRange(const Text& other, size_t begin, size_t end) {
  if (begin >= end) return;
  const std::string_view source = other.bytes_;
  for (auto run = other.RunAt(begin); begin < end; ++run) {
    const size_t stop = std::min<size_t>(run->end, end);
    Append(source.substr(begin, stop - begin), run->origin);
    begin = stop;
  }
}

Text Text::Substring(size_t begin, size_t end) const {
  Text part;
  part.AppendRange(*this, begin, end);
  return part;
}

}  // namespace memory3::jinja
