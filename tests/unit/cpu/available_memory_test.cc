#include "engine/cpu/available_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace memory3 {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMiB = 1 << 20;

class AvailableMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    root_ = fs::path(testing::TempDir()) / ("available_memory_" + name);
    fs::remove_all(root_);
    Put("proc/meminfo", "MemTotal:       8388608 kB\nMemAvailable:   1048576 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void Put(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  fs::path root_;
};

TEST_F(AvailableMemoryTest, WithoutGroupsItIsTheSystems) {
  EXPECT_EQ(AvailableMemoryBytes(root_), 1024 * kMiB);
}

TEST_F(AvailableMemoryTest, TheTightestGroupAboveTheProcessCounts) {
  Put("proc/self/cgroup", "0::/pod/container\n");
  Put("sys/fs/cgroup/pod/memory.max", "524288000\n");  // 500 MiB
  Put("sys/fs/cgroup/pod/memory.current", "314572800\n");
  Put("sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 104857600\n");
  Put("sys/fs/cgroup/pod/container/memory.max", "max\n");
  Put("sys/fs/cgroup/pod/container/memory.current", "314572800\n");
  EXPECT_EQ(AvailableMemoryBytes(root_), 300 * kMiB);
}

TEST_F(AvailableMemoryTest, InsideAContainerTheGroupIsTheRoot) {
  Put("proc/self/cgroup", "0::/\n");
  Put("sys/fs/cgroup/memory.max", "209715200\n");
  Put("sys/fs/cgroup/memory.current", "314572800\n");  // above the limit: nothing left
  EXPECT_EQ(AvailableMemoryBytes(root_), 0);
}

TEST_F(AvailableMemoryTest, VersionOneHierarchy) {
  Put("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n");
  Put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600\n");
  Put("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "52428800\n");
  Put("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 10485760\n");
  EXPECT_EQ(AvailableMemoryBytes(root_), 60 * kMiB);
}

TEST_F(AvailableMemoryTest, UnknownWhereTheSystemDoesNotSay) {
  fs::remove(root_ / "proc/meminfo");
  EXPECT_EQ(AvailableMemoryBytes(root_), std::nullopt);
}

TEST(AvailableMemoryOfThisMachineTest, IsKnown) { EXPECT_GT(AvailableMemoryBytes(), 0); }

}  // namespace
}  // namespace memory3
