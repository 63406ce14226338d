#include "server/dispatcher.h"

#include <utility>

namespace memory3 {

Dispatcher::Dispatcher() : thread_([this] { Loop(); }) {}

Dispatcher::~Dispatcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    ready_.Signal();
  }
  thread_.join();
}

void Dispatcher::Schedule(std::shared_ptr<DispatchItem> item) {
  MutexLock lock(mutex_);
  if (item->queued_self_ != nullptr) return;
  DispatchItem* const raw = item.get();
  raw->queued_self_ = std::move(item);
  if (tail_ != nullptr) {
    tail_->next_ = raw;
  } else {
    head_ = raw;
    ready_.Signal();
  }
  tail_ = raw;
}

void Dispatcher::Loop() {
  while (true) {
    std::shared_ptr<DispatchItem> item;
    {
      MutexLock lock(mutex_);
      while (head_ == nullptr && !stopping_) ready_.Wait(mutex_);
      if (head_ == nullptr) return;
      item = std::move(head_->queued_self_);
      head_ = head_->next_;
      if (head_ == nullptr) tail_ = nullptr;
      item->next_ = nullptr;
    }
    item->Dispatch();
  }
}

}  // namespace memory3
