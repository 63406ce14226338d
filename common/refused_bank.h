// The newer bank that could not be opened: when it is tried again, and which of its errors are new.
//
// It may be whole the next time: its files were still being copied, the link was turned while they
// were opened, the disk was full. So it is tried after kFirstWait, then after twice as long each
// time, up to kLongestWait, since every try reads much of it. A bank with another MANIFEST is
// another bank.
#ifndef MEMORY3_COMMON_REFUSED_BANK_H_
#define MEMORY3_COMMON_REFUSED_BANK_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/once_per_text.h"

namespace memory3 {

// Times are a steady clock's. Not thread-safe.
class RefusedBank {
 public:
  static constexpr absl::Duration kFirstWait = absl::Seconds(1);
  static constexpr absl::Duration kLongestWait = absl::Minutes(5);

  // Whether the bank with this MANIFEST is to be tried now.
  bool IsDue(std::string_view manifest, absl::Duration now) const {
    return why_.ok() || manifest != manifest_ || now >= retry_at_;
  }

  // It was tried. True when it had not failed so before.
  [[nodiscard]] bool Refuse(std::string manifest, const absl::Status& why, absl::Duration now) {
    if (why_.ok() || manifest != manifest_) {
      errors_.Forget();
      wait_ = kFirstWait;
    } else {
      wait_ = std::min(2 * wait_, kLongestWait);
    }
    manifest_ = std::move(manifest);
    why_ = why;
    retry_at_ = now + wait_;
    return errors_.IsNew(why.ToString());
  }
  void Clear() { why_ = absl::OkStatus(); }

  const absl::Status& why() const { return why_; }  // OK: none is refused

 private:
  std::string manifest_;
  absl::Status why_;
  absl::Duration wait_;
  absl::Duration retry_at_;
  OncePerText errors_;
};

}  // namespace memory3

#endif  // MEMORY3_COMMON_REFUSED_BANK_H_
