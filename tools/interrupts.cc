#include "tools/interrupts.h"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace memory3 {
namespace {

sigset_t InterruptSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = InterruptSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { Wait(); });
}

Interrupts::~Interrupts() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGINT);
  thread_.join();
}

void Interrupts::Wait() {
  const sigset_t set = InterruptSet();
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (cancel_ == nullptr) {
      std::fputs("\n", stderr);
      // Other threads may be in the middle of anything: no destructors.
      std::_Exit(kInterruptedStatus);
    }
    std::exchange(cancel_, nullptr)();
  }
}

Interrupts::Scope::Scope(Interrupts& interrupts, std::function<void()> cancel)
    : interrupts_(interrupts) {
  MutexLock lock(interrupts_.mutex_);
  interrupts_.cancel_ = std::move(cancel);
}

Interrupts::Scope::~Scope() {
  MutexLock lock(interrupts_.mutex_);
  interrupts_.cancel_ = nullptr;
}

}  // namespace memory3
