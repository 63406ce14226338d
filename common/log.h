// The server's log: one line per event on a file stream, as text or as JSON.
//
//   log.Info("listening", {{"address", "127.0.0.1:8470"}});
//   2026-01-31T12:00:00.000Z I listening address="127.0.0.1:8470"
//
// Values may come from clients: control characters and quotes are escaped, so a value can neither
// end a line nor forge a field. Never give it the text of a prompt or of an answer. Thread-safe; a
// line is written at once and whole.
#ifndef MEMORY3_COMMON_LOG_H_
#define MEMORY3_COMMON_LOG_H_

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/base/mutex.h"
#include "engine/base/string_views.h"

namespace memory3 {

enum class LogFormat { kText, kJson };

class LogField {
 public:
  LogField(std::string_view name, std::string_view value)
      : name_(name), value_(value), is_number_(false) {}
  LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const std::string& value)
      : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, absl::string_view value) : LogField(name, StdView(value)) {}
  template <typename Number>
  LogField(std::string_view name, Number value)
      : name_(name), value_(absl::StrCat(value)), is_number_(true) {}

  std::string_view name() const { return name_; }
  std::string_view value() const { return value_; }
  bool is_number() const { return is_number_; }

 private:
  std::string_view name_;
  std::string value_;
  bool is_number_;
};

class Logger {
 public:
  // `file` is not owned and must outlive the logger.
  Logger(std::FILE* file, LogFormat format) : file_(file), format_(format) {}

  void Info(std::string_view message, const std::vector<LogField>& fields = {});
  void Warning(std::string_view message, const std::vector<LogField>& fields = {});
  void Error(std::string_view message, const std::vector<LogField>& fields = {});

 private:
  void Write(char level, std::string_view message, const std::vector<LogField>& fields);

  Mutex mutex_;
  std::FILE* const file_ ABSL_PT_GUARDED_BY(mutex_);
  const LogFormat format_;
};

// One line without the newline; apart from the writing so that it can be tested.
std::string FormatLogLine(LogFormat format, absl::Time time, char level, std::string_view message,
                          const std::vector<LogField>& fields);

}  // namespace memory3

#endif  // MEMORY3_COMMON_LOG_H_
