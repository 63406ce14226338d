// Ctrl-C as a polite request: the first cancels what is running, the next ends the program.
//
//   Interrupts interrupts;  // before any other thread is started
//   {
//     Interrupts::Scope scope(interrupts, [&] { context.TryCancel(); });
//     ...  // Ctrl-C cancels; a second one ends the program
//   }
//   ...    // outside of a scope the first Ctrl-C ends the program, with status 130
#ifndef MEMORY3_TOOLS_INTERRUPTS_H_
#define MEMORY3_TOOLS_INTERRUPTS_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "engine/base/mutex.h"

namespace memory3 {

// Exit status of a program ended by Ctrl-C, as shells report it.
inline constexpr int kInterruptedStatus = 130;

// Blocks SIGINT in the calling thread and those it starts, and waits for it in a thread of its own:
// cancelling a call is nothing that a signal handler may do. At most one in a process.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // At most one at a time. `cancel` runs on the waiting thread, at most once, and never after the
  // scope has ended.
  class Scope {
   public:
    Scope(Interrupts& interrupts, std::function<void()> cancel);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupts& interrupts_;
  };

 private:
  void Wait();

  Mutex mutex_;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace memory3

#endif  // MEMORY3_TOOLS_INTERRUPTS_H_
