// memory3-bank as people use it: built, killed, resumed, damaged and refused.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/synth_folder.h"
#include "tests/unit/memory/reader_testing.h"
#include "tests/unit/tools/child_process.h"

namespace memory3 {
namespace {

namespace fs = std::filesystem;

const char kProgram[] = M3_BINARY_DIR "/bin/memory3-bank";
constexpr int kLines = 120;

std::string Bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every file of a folder, by its name.
std::map<std::string, std::string> Contents(const fs::path& dir) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    contents[entry.path().lexically_relative(dir).string()] = Bytes(entry.path());
  }
  return contents;
}

class BankProgramTest : public testing::Test {
 protected:
  BankProgramTest() {
    fs::create_directories(input_);
    std::ofstream(input_ / "a.txt") << "The lighthouse stands on the northern cape. It was built "
                                       "in 1871.\n\nOne paragraph.\n\nOne paragraph.\n";
    std::ofstream(input_ / "b.md") << "# Rivers\n\nThe longest one flows east.\n";
    std::ofstream lines(input_ / "c.jsonl");
    for (int i = 0; i < kLines; ++i) {
      lines << absl::StrCat("{\"text\": \"Town ", i, " has a market.\", \"id\": ", i, "}\n");
    }
  }

  std::vector<std::string> BuildCommand(const fs::path& out,
                                        const std::vector<std::string>& flags = {}) const {
    std::vector<std::string> command = {kProgram,
                                        "build",
                                        "--model_dir=" + QuickModel().string(),
                                        "--input=" + input_.string(),
                                        "--out=" + out.string(),
                                        "--threads=1",
                                        "--records_per_file=8"};
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  }
  FinishedProgram Build(const fs::path& out, const std::vector<std::string>& flags = {}) const {
    return RunProgram(BuildCommand(out, flags), "");
  }

  const TempFolder folder_;
  const fs::path input_ = folder_.path() / "input";
  const fs::path bank_ = folder_.path() / "bank";
  const fs::path partial_ = folder_.path() / "bank.partial";
};

// True when the program was still running.
bool KillAfter(const std::vector<std::string>& command, useconds_t microseconds) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(126);
    if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  usleep(microseconds);
  kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status);
}

TEST_F(BankProgramTest, BuildsTheSameBytesTwice) {
  const FinishedProgram first = Build(bank_);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_TRUE(absl::StrContains(first.out, "123 references")) << first.out;
  EXPECT_TRUE(absl::StrContains(first.out, "1 duplicates dropped")) << first.out;
  EXPECT_TRUE(absl::StrContains(first.err, "/s, ")) << first.err;
  EXPECT_FALSE(fs::exists(partial_));
  const fs::path again = folder_.path() / "again";
  const FinishedProgram second = Build(again, {"--threads=2"});
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(Contents(bank_), Contents(again));
  EXPECT_EQ(RunProgram({kProgram, "verify", bank_}, "").status, 0);
}

TEST_F(BankProgramTest, ResumesAfterKillsAtAnyMoment) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const fs::path whole = folder_.path() / "whole";
  ASSERT_EQ(Build(whole).status, 0);
  const auto expected = Contents(whole);
  int kills = 0;
  // Ever later, so that some come while the bank is published.
  for (useconds_t longest = 20'000; !fs::exists(bank_) && kills < 200; longest += 20'000) {
    std::map<std::string, fs::file_time_type> finished;
    if (fs::exists(partial_)) {
      for (const auto& entry : fs::directory_iterator(partial_)) {
        const fs::path part = entry.path();
        if (absl::EndsWith(part.string(), ".bin.table")) {
          const fs::path records = part.parent_path() / part.stem();
          finished[records.filename().string()] = fs::last_write_time(records);
        }
      }
    }
    if (KillAfter(BuildCommand(bank_), random() % longest)) ++kills;
    for (const auto& [name, written] : finished) {
      const fs::path now = (fs::exists(bank_) ? bank_ : partial_) / name;
      ASSERT_EQ(fs::last_write_time(now), written) << name << " was encoded again";
    }
  }
  ASSERT_TRUE(fs::exists(bank_));
  EXPECT_GT(kills, 0);
  EXPECT_EQ(Contents(bank_), expected);
}

TEST_F(BankProgramTest, GoesOnAfterAFullDisk) {
  std::vector<std::string> command = {"/bin/bash", "-c", "trap '' XFSZ; ulimit -f 24; exec \"$@\"",
                                      "bash"};
  for (const std::string& word : BuildCommand(bank_)) command.push_back(word);
  const FinishedProgram full = RunProgram(command, "");
  EXPECT_EQ(full.status, 1) << full.err;
  EXPECT_TRUE(absl::StrContains(full.err, "File too large")) << full.err;
  EXPECT_TRUE(absl::StrContains(full.err, partial_.string())) << full.err;
  EXPECT_FALSE(fs::exists(bank_));
  const FinishedProgram rest = Build(bank_);
  ASSERT_EQ(rest.status, 0) << rest.err;
  const fs::path whole = folder_.path() / "whole";
  ASSERT_EQ(Build(whole).status, 0);
  EXPECT_EQ(Contents(bank_), Contents(whole));
}

TEST_F(BankProgramTest, VerifyNoticesDamageInAnyFile) {
  ASSERT_EQ(Build(bank_).status, 0);
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const auto& [name, bytes] : Contents(bank_)) {
    const size_t at = random() % bytes.size();
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
    std::ofstream(bank_ / name, std::ios::binary) << changed;
    const FinishedProgram verify = RunProgram({kProgram, "verify", bank_}, "");
    EXPECT_EQ(verify.status, 1) << name << " byte " << at;
    EXPECT_TRUE(absl::StrContains(verify.err, name)) << verify.err;
    std::ofstream(bank_ / name, std::ios::binary) << bytes;
  }
  EXPECT_EQ(RunProgram({kProgram, "verify", bank_}, "").status, 0);
}

TEST_F(BankProgramTest, RefusesToGoOnWithAnotherBuild) {
  KillAfter(BuildCommand(bank_), 0);
  // Far enough to have claimed the folder.
  while (!fs::exists(partial_ / "BUILD") && !fs::exists(bank_)) {
    KillAfter(BuildCommand(bank_), 300'000);
  }
  if (fs::exists(bank_)) GTEST_SKIP() << "the build was faster than its end";
  std::ofstream(input_ / "d.txt") << "Something new.\n";
  const FinishedProgram other = Build(bank_);
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(absl::StrContains(other.err, "texts 123 ")) << other.err;
  EXPECT_TRUE(absl::StrContains(other.err, "texts 124 ")) << other.err;
  EXPECT_FALSE(fs::exists(bank_));
  ASSERT_EQ(Build(bank_, {"--restart"}).status, 0);
  const fs::path whole = folder_.path() / "whole";
  ASSERT_EQ(Build(whole).status, 0);
  EXPECT_EQ(Contents(bank_), Contents(whole));
}

TEST_F(BankProgramTest, NeverTakesAFolderThatHoldsSomethingElse) {
  fs::create_directories(bank_);
  EXPECT_EQ(Build(bank_).status, 1);
  fs::remove(bank_);
  fs::create_directories(partial_);
  std::ofstream(partial_ / "diary.txt") << "mine";
  const FinishedProgram build = Build(bank_, {"--restart"});
  EXPECT_EQ(build.status, 1);
  EXPECT_TRUE(absl::StrContains(build.err, "not empty")) << build.err;
  EXPECT_EQ(Bytes(partial_ / "diary.txt"), "mine");
}

TEST_F(BankProgramTest, BuildsTextsAloneWhenTold) {
  ASSERT_EQ(Build(bank_, {"--cold"}).status, 0);
  EXPECT_FALSE(fs::exists(bank_ / "records-00000.bin"));
  EXPECT_EQ(RunProgram({kProgram, "verify", bank_}, "").status, 0);
  const FinishedProgram stats = RunProgram({kProgram, "stats", bank_}, "");
  EXPECT_TRUE(absl::StrContains(stats.out, "without a memory   123")) << stats.out;
}

TEST_F(BankProgramTest, ShowsAndFinds) {
  ASSERT_EQ(Build(bank_, {"--cold"}).status, 0);
  const FinishedProgram found =
      RunProgram({kProgram, "search", bank_, "a lighthouse on a cape", "--limit=1"}, "");
  EXPECT_EQ(found.status, 0) << found.err;
  EXPECT_TRUE(absl::StrContains(found.out, "northern cape")) << found.out;
  const FinishedProgram shown = RunProgram({kProgram, "show", bank_, "2"}, "");
  EXPECT_TRUE(absl::StrContains(shown.out, "title: Rivers")) << shown.out;
  EXPECT_TRUE(absl::StrContains(shown.out, "source: b.md")) << shown.out;
  EXPECT_EQ(RunProgram({kProgram, "show", bank_, "123"}, "").status, 1);
  EXPECT_EQ(RunProgram({kProgram, "show", bank_, "x"}, "").status, 2);
}

TEST_F(BankProgramTest, NamesWhatIsWrongWithTheInput) {
  const auto error_of = [&](const std::string& name, const std::string& bytes) {
    fs::remove_all(input_);
    fs::remove_all(partial_);
    fs::create_directories(input_);
    std::ofstream(input_ / name, std::ios::binary) << bytes;
    const FinishedProgram build = Build(bank_, {"--cold"});
    EXPECT_EQ(build.status, 2) << build.err;
    EXPECT_FALSE(fs::exists(bank_));
    return build.err;
  };
  EXPECT_TRUE(absl::StrContains(error_of("x.txt",
                                         "good\nb\xC3\x28"
                                         "d\n"),
                                "x.txt:2"));
  EXPECT_TRUE(
      absl::StrContains(error_of("x.jsonl", "{\"text\": \"a\"}\n{\"title\": 1}\n"), "x.jsonl:2"));
  EXPECT_TRUE(absl::StrContains(error_of("x.jsonl", "{\"text\": 1}\n"), "text"));
  EXPECT_TRUE(absl::StrContains(error_of("x.jsonl", "not json\n"), "x.jsonl:1"));
  EXPECT_TRUE(absl::StrContains(error_of("x.txt", " \n \n"), "no text"));
}

TEST(BankProgramFlagsTest, ExplainsItself) {
  const FinishedProgram help = RunProgram({kProgram, "--help"}, "");
  EXPECT_EQ(help.status, 0);
  EXPECT_TRUE(absl::StrContains(help.out, "memory3-bank build")) << help.out;
  EXPECT_EQ(RunProgram({kProgram}, "").status, 2);
  EXPECT_EQ(RunProgram({kProgram, "verify"}, "").status, 2);
  EXPECT_EQ(RunProgram({kProgram, "build", "--no_such_flag"}, "").status, 2);
  EXPECT_EQ(RunProgram({kProgram, "verify", "/nonexistent"}, "").status, 1);
}

}  // namespace
}  // namespace memory3
