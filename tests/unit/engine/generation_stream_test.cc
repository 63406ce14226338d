#include <atomic>
#include <string>
#include <thread>

#include "engine/generation.h"
#include "gtest/gtest.h"

namespace memory3 {
namespace {

GenerationEvent Piece(std::string text) {
  GenerationEvent event;
  event.text = std::move(text);
  return event;
}

GenerationEvent Finished() {
  GenerationEvent event;
  event.finish = FinishReason::kStop;
  return event;
}

TEST(GenerationStreamTest, GivesEventsInOrderAndThenNothing) {
  GenerationStream stream(100);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(stream.Push(Piece(std::to_string(i))));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(stream.TryNext()->text, std::to_string(i));
  for (int i = 50; i < 100; ++i) ASSERT_TRUE(stream.Push(Piece(std::to_string(i))));
  stream.Close(Finished());
  for (int i = 20; i < 100; ++i) EXPECT_EQ(stream.Next()->text, std::to_string(i));
  EXPECT_TRUE(stream.Next()->last());
  EXPECT_FALSE(stream.Next().has_value());
  EXPECT_FALSE(stream.TryNext().has_value());
}

TEST(GenerationStreamTest, AFullBufferRefusesButStillClosesAndKeepsWhatItHas) {
  GenerationStream stream(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream.Push(Piece(std::to_string(i))));
  EXPECT_FALSE(stream.Push(Piece("too much")));
  GenerationEvent last;
  last.status = absl::ResourceExhaustedError("slow");
  stream.Close(std::move(last));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stream.Next()->text, std::to_string(i));
  EXPECT_EQ(stream.Next()->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(stream.Next().has_value());
}

TEST(GenerationStreamTest, NextWaitsForTheEngine) {
  GenerationStream stream(2);
  std::thread engine([&stream] {
    for (int i = 0; i < 200; ++i) {
      while (!stream.Push(Piece(std::to_string(i)))) std::this_thread::yield();
    }
    stream.Close(Finished());
  });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(stream.Next()->text, std::to_string(i));
  EXPECT_TRUE(stream.Next()->last());
  engine.join();
}

TEST(GenerationStreamTest, OnReadyRunsWhenABufferStopsBeingEmpty) {
  GenerationStream stream(10);
  int calls = 0;
  ASSERT_TRUE(stream.Push(Piece("a")));
  stream.SetOnReady([&calls] { ++calls; });
  EXPECT_EQ(calls, 1) << "at once when there are events already";
  ASSERT_TRUE(stream.Push(Piece("b")));
  EXPECT_EQ(calls, 1);
  while (stream.TryNext()) {
  }
  ASSERT_TRUE(stream.Push(Piece("c")));
  EXPECT_EQ(calls, 2);
  stream.SetOnReady(nullptr);
  while (stream.TryNext()) {
  }
  stream.Close(Finished());
  EXPECT_EQ(calls, 2);
}

// A reader stuck with a full buffer has to hear that it was cut off.
TEST(GenerationStreamTest, CloseIsHeardAndKnownWhileEventsWait) {
  GenerationStream stream(1);
  int calls = 0;
  stream.SetOnReady([&calls] { ++calls; });
  ASSERT_TRUE(stream.Push(Piece("a")));
  ASSERT_FALSE(stream.Push(Piece("b")));
  EXPECT_EQ(stream.final_status(), std::nullopt);
  GenerationEvent cut_off;
  cut_off.status = absl::ResourceExhaustedError("too slow");
  stream.Close(cut_off);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(stream.final_status(), cut_off.status);
  EXPECT_EQ(stream.TryNext()->text, "a");
}

// A reader that waits for the callback alone must see every event: no wake-up may be lost between
// its last look and the next arrival.
TEST(GenerationStreamTest, NoWakeUpIsLost) {
  constexpr int kEvents = 20000;
  GenerationStream stream(kEvents);
  std::atomic<int> wakeups = 0;
  stream.SetOnReady([&wakeups] {
    wakeups.fetch_add(1);
    wakeups.notify_one();
  });
  std::thread engine([&stream] {
    for (int i = 0; i < kEvents; ++i) ASSERT_TRUE(stream.Push(Piece(std::to_string(i))));
    stream.Close(Finished());
  });
  int taken = 0;
  for (int seen = 0, last = 0; last == 0;) {
    wakeups.wait(seen);  // for ever, and so a time-out of the test, if one is lost
    seen = wakeups.load();
    while (std::optional<GenerationEvent> event = stream.TryNext()) {
      if (event->last()) {
        last = 1;
      } else {
        EXPECT_EQ(event->text, std::to_string(taken++));
      }
    }
  }
  engine.join();
  EXPECT_EQ(taken, kEvents);
}

TEST(GenerationStreamTest, TheCallbackDoesNotRunAfterItWasCleared) {
  for (int round = 0; round < 200; ++round) {
    GenerationStream stream(100);
    std::thread engine([&stream] {
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream.Push(Piece("x")));
      stream.Close(Finished());
    });
    {
      // The sanitizers see a use after free if the callback outlives this block.
      auto count = std::make_unique<int>(0);
      stream.SetOnReady([&stream, &count] {
        while (stream.TryNext()) ++*count;
      });
      stream.SetOnReady(nullptr);
    }
    engine.join();
  }
}

}  // namespace
}  // namespace memory3
