#include "common/log.h"

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "engine/base/string_views.h"
#include "engine/text/utf8.h"

namespace memory3 {
namespace {

// A JSON string literal, which also reads well in text lines. Bytes that are not UTF-8 become '?'.
std::string Quote(std::string_view value) {
  std::string out = "\"";
  const bool valid = IsValidUtf8(value);
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else if (byte >= 0x80 && !valid) {
      out += '?';
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string_view LevelName(char level) {
  switch (level) {
    case 'W':
      return "warning";
    case 'E':
      return "error";
    default:
      return "info";
  }
}

}  // namespace

std::string FormatLogLine(LogFormat format, absl::Time time, char level, std::string_view message,
                          const std::vector<LogField>& fields) {
  std::string line;
  if (format == LogFormat::kText) {
    line = absl::StrCat(Timestamp(time), " ", absl::string_view(&level, 1), " ", AbslView(message));
    for (const LogField& field : fields) {
      absl::StrAppend(&line, " ", AbslView(field.name()), "=",
                      field.is_number() ? std::string(field.value()) : Quote(field.value()));
    }
    return line;
  }
  line = absl::StrCat("{\"time\":\"", Timestamp(time), "\",\"level\":\"",
                      AbslView(LevelName(level)), "\",\"message\":", Quote(message));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, ",", Quote(field.name()), ":",
                    field.is_number() ? std::string(field.value()) : Quote(field.value()));
  }
  line += '}';
  return line;
}

void Logger::Info(std::string_view message, const std::vector<LogField>& fields) {
  Write('I', message, fields);
}

void Logger::Warning(std::string_view message, const std::vector<LogField>& fields) {
  Write('W', message, fields);
}

void Logger::Error(std::string_view message, const std::vector<LogField>& fields) {
  Write('E', message, fields);
}

void Logger::Write(char level, std::string_view message, const std::vector<LogField>& fields) {
  std::string line = FormatLogLine(format_, absl::Now(), level, message, fields);
  line += '\n';
  MutexLock lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

}  // namespace memory3
