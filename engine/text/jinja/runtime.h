// What one rendering shares: its budget, its clock and the namespaces it made. Not thread-safe; one
// per rendering.
#ifndef MEMORY3_ENGINE_TEXT_JINJA_RUNTIME_H_
#define MEMORY3_ENGINE_TEXT_JINJA_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/text/jinja/text.h"
#include "engine/text/jinja/value.h"

namespace memory3::jinja {

// Work of one rendering: an evaluated node is 1, an item of a new sequence 4, and every 16 bytes of
// a new string 1. It bounds time and memory together: a few hundred MiB and a second or so at
// worst.
inline constexpr int64_t kMaxRenderWork = int64_t{1} << 22;
inline constexpr size_t kMaxOutputBytes = size_t{16} << 20;
// Nested evaluations, macro calls included: bounds the stack.
inline constexpr int kMaxEvaluationDepth = 400;
// As Jinja2's sandbox has it.
inline constexpr int64_t kMaxRangeItems = 100000;

class Runtime {
 public:
  using Clock = std::function<absl::Time()>;

  explicit Runtime(Clock clock) : clock_(std::move(clock)) {}
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  absl::Status Spend(int64_t work);
  // To be asked before the bytes or items are made.
  absl::Status SpendBytes(size_t bytes) { return Spend(1 + static_cast<int64_t>(bytes / 16)); }
  absl::Status SpendItems(size_t items);

  absl::StatusOr<Value> NewString(Text text);
  absl::StatusOr<Value> NewSequence(Sequence::Type type, std::vector<Value> items);
  absl::StatusOr<Value> NewDict(std::vector<std::pair<Value, Value>> entries);
  Value NewNamespace(std::vector<std::pair<std::string, Value>> attributes);

  absl::Time Now() const { return clock_(); }

  // Set by raise_exception: its message is the template author's and is passed on as it is.
  void MarkRaised() { raised_ = true; }
  bool raised() const { return raised_; }

 private:
  const Clock clock_;
  int64_t work_ = 0;
  bool raised_ = false;
  // Emptied at the end: a namespace may hold itself, which reference counting alone never frees.
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

}  // namespace memory3::jinja

#endif  // MEMORY3_ENGINE_TEXT_JINJA_RUNTIME_H_
