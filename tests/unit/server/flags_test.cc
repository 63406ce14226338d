#include "server/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/reflection.h"

namespace memory3 {
namespace {

using testing::HasSubstr;

class FlagsTest : public testing::Test {
 protected:
  FlagsTest() { Set("model_dir", "models/tiny"); }
  static void Set(const char* name, const std::string& value) {
    std::string error;
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    ASSERT_NE(flag, nullptr) << name;
    ASSERT_TRUE(flag->ParseFrom(value, &error)) << error;
  }
  const absl::FlagSaver saver_;
};

TEST_F(FlagsTest, DefaultsAreValid) {
  const auto options = OptionsFromFlags();
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->model_dir, "models/tiny");
  EXPECT_EQ(options->listen_addresses, std::vector<std::string>{"127.0.0.1:8470"});
  EXPECT_EQ(options->dtype, DType::kBF16);
}

TEST_F(FlagsTest, ReachTheOptions) {
  Set("listen_address", "127.0.0.1:0,unix:/tmp/x.sock");
  Set("served_model_name", "a,b");
  Set("dtype", "f32");
  Set("kv_cache_bytes", "64MiB");
  Set("default_temperature", "0.25");
  Set("shutdown_grace", "5s");
  Set("log_format", "json");
  Set("bank", "banks/a/");
  Set("retrieval_target", "unix:/tmp/r.sock");
  Set("memory_policy", "strict");
  Set("memory_deadline", "7ms");
  Set("memory_strict_timeout", "9s");
  Set("retrieval_timeout", "11ms");
  Set("lead_tokens", "3");
  Set("memory_slots", "40");
  Set("host_cache_bytes", "5MiB");
  Set("memory_reader", "pread");
  Set("memory_direct", "off");
  Set("memory_config", "{}");
  Set("max_completion_tokens", "12");
  Set("max_active_calls", "13");
  Set("request_threads", "14");
  Set("max_request_bytes", "15KiB");
  Set("max_concurrent_streams", "16");
  Set("max_metadata_bytes", "17KiB");
  Set("grpc_memory", "18MiB");
  Set("grpc_max_threads", "19");
  Set("max_connection_age", "20s");
  Set("max_connection_age_grace", "21s");
  Set("keepalive_time", "22s");
  Set("keepalive_timeout", "23s");
  Set("stuck_after", "24s");
  const auto options = OptionsFromFlags();
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->listen_addresses, testing::ElementsAre("127.0.0.1:0", "unix:/tmp/x.sock"));
  EXPECT_THAT(options->model_names, testing::ElementsAre("a", "b"));
  EXPECT_EQ(options->dtype, DType::kF32);
  EXPECT_EQ(options->kv_cache_bytes, int64_t{64} << 20);
  EXPECT_EQ(options->default_sampling.temperature, 0.25f);
  EXPECT_EQ(options->shutdown_grace, absl::Seconds(5));
  EXPECT_EQ(options->log_format, LogFormat::kJson);
  const MemoryOptions& memory = options->memory;
  EXPECT_EQ(memory.bank, "banks/a/");
  EXPECT_EQ(memory.taught_dir, "banks/a-taught");
  EXPECT_EQ(memory.retrieval_target, "unix:/tmp/r.sock");
  EXPECT_EQ(memory.default_policy, MemoryPolicy::kStrict);
  EXPECT_TRUE(memory.used_by_default);
  EXPECT_EQ(memory.boundary_deadline, absl::Milliseconds(7));
  EXPECT_EQ(memory.strict_timeout, absl::Seconds(9));
  EXPECT_EQ(memory.retrieval_timeout, absl::Milliseconds(11));
  EXPECT_EQ(memory.lead_tokens, 3);
  EXPECT_EQ(memory.slots, 40);
  EXPECT_EQ(memory.host_cache_bytes, int64_t{5} << 20);
  EXPECT_EQ(memory.reader, ReaderKind::kPread);
  EXPECT_EQ(memory.direct, DirectReads::kOff);
  EXPECT_EQ(memory.config_override, "{}");
  EXPECT_EQ(options->max_completion_tokens, 12);
  EXPECT_EQ(options->max_active_calls, 13);
  EXPECT_EQ(options->request_threads, 14);
  EXPECT_EQ(options->grpc.max_request_bytes, 15 << 10);
  EXPECT_EQ(options->grpc.max_concurrent_streams, 16);
  EXPECT_EQ(options->grpc.max_metadata_bytes, 17 << 10);
  EXPECT_EQ(options->grpc.memory_bytes, int64_t{18} << 20);
  EXPECT_EQ(options->grpc.max_threads, 19);
  EXPECT_EQ(options->grpc.max_connection_age, absl::Seconds(20));
  EXPECT_EQ(options->grpc.max_connection_age_grace, absl::Seconds(21));
  EXPECT_EQ(options->grpc.keepalive_time, absl::Seconds(22));
  EXPECT_EQ(options->grpc.keepalive_timeout, absl::Seconds(23));
  EXPECT_EQ(options->stuck_after, absl::Seconds(24));
  Set("memory_policy", "off");
  EXPECT_FALSE(OptionsFromFlags()->memory.used_by_default);
}

TEST_F(FlagsTest, BadValuesNameTheFlag) {
  for (const auto& [name, value] : {std::pair("model_dir", ""),
                                    {"device", "tpu"},
                                    {"device_memory_fraction", "0"},
                                    {"skinny_rows", "65"},
                                    {"device_memory_fraction", "1.1"},
                                    {"dtype", "int8"},
                                    {"threads", "-1"},
                                    {"max_sequences", "0"},
                                    {"max_batch_tokens", "0"},
                                    {"max_context", "-5"},
                                    {"max_stream_events", "15"},
                                    {"max_queued_requests", "-1"},
                                    {"max_queued_prompt_tokens", "0"},
                                    {"max_completion_tokens", "-1"},
                                    {"default_top_p", "2"},
                                    {"default_temperature", "nan"},
                                    {"max_request_bytes", "1B"},
                                    {"grpc_memory", "1MiB"},
                                    {"max_connection_age", "0s"},
                                    {"shutdown_grace", "-1s"},
                                    {"listen_address", ","},
                                    {"memory_policy", "never"},
                                    {"memory_deadline", "0s"},
                                    {"memory_strict_timeout", "-1s"},
                                    {"retrieval_timeout", "0s"},
                                    {"lead_tokens", "-1"},
                                    {"memory_slots", "-1"},
                                    {"memory_reader", "mmap"},
                                    {"memory_direct", "maybe"},
                                    {"log_format", "xml"}}) {
    const absl::FlagSaver restore;
    Set(name, value);
    const auto options = OptionsFromFlags();
    ASSERT_FALSE(options.ok()) << name << "=" << value;
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(std::string("--") + name));
  }
}

}  // namespace
}  // namespace memory3
