#include "tools/machine_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace memory3 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MachineInfoTest, ReadsCpuinfo) {
  constexpr char kCpuinfo[] =
      "processor\t: 0\n"
      "model name\t: Some CPU @ 2.0GHz: fast\n"
      "flags\t\t: fpu avx2 avx512f avx512_bf16 fmaddsub\n"
      "\n"
      "processor\t: 1\n"
      "model name\t: Another\n";
  EXPECT_EQ(CpuModel(kCpuinfo), "Some CPU @ 2.0GHz: fast");
  EXPECT_THAT(CpuFlags(kCpuinfo), ElementsAre("avx2", "avx512f", "avx512_bf16"));
}

TEST(MachineInfoTest, UnknownIsSaid) {
  EXPECT_EQ(CpuModel(""), "unknown");
  EXPECT_THAT(CpuFlags("processor : 0\n"), IsEmpty());
  EXPECT_EQ(TotalMemoryGib("MemTotal: x kB"), 0);
  EXPECT_EQ(TotalMemoryGib(""), 0);
}

TEST(MachineInfoTest, ReadsMeminfo) {
  EXPECT_DOUBLE_EQ(TotalMemoryGib("MemTotal:       25165824 kB\nMemFree: 1 kB\n"), 24);
}

TEST(MachineInfoTest, DescribesThisMachine) {
  const MachineInfo info = DescribeMachine();
  EXPECT_GE(info.cores, 1);
  EXPECT_GT(info.memory_gib, 0);
  EXPECT_FALSE(info.kernel.empty());
}

}  // namespace
}  // namespace memory3
