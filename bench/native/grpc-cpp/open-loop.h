// Calls that are made when they are due, not when others have returned; the counterpart of
// bench/src/load/open-load.ts.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "arrivals.h"
#include "call.h"
#include "closed-loop.h"
#include "samples.h"

// Calls that are not under way; two threads share them.
class IdleCalls {
 public:
  explicit IdleCalls(const std::vector<std::unique_ptr<Call>>& pool) {
    for (const auto& call : pool) idle_.push_back(call.get());
  }

  // Null when all are under way.
  Call* Take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return nullptr;
    Call* call = idle_.back();
    idle_.pop_back();
    return call;
  }

  void GiveBack(Call* call) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(call);
  }

 private:
  std::mutex mutex_;
  std::vector<Call*> idle_;
};

// One thread sleeps until a call is due and makes it, another one takes their ends from the queue: timeouts
// of the queue are a millisecond coarse.
inline Round OpenLoop(const std::vector<std::unique_ptr<Call>>& pool, double rate, uint32_t seed,
                      double seconds, Samples* samples) {
  grpc::CompletionQueue queue;
  IdleCalls idle(pool);
  Arrivals arrivals(rate, seed);
  const auto start = Clock::now();
  const auto end = start + Seconds(seconds);
  uint64_t calls = 0;
  std::thread receiver([&] {
    void* tag;
    bool ok;
    while (queue.Next(&tag, &ok)) {
      auto* call = static_cast<Call*>(tag);
      call->Check();
      const auto now = Clock::now();
      samples->Add(MicrosBetween(call->since, now));
      if (now <= end) calls++;
      idle.GiveBack(call);
    }
  });
  uint64_t shed = 0;
  for (auto due = start + Seconds(arrivals.Next()); due <= end;
       due = start + Seconds(arrivals.Next())) {
    if (due > Clock::now()) std::this_thread::sleep_until(due);
    Call* call = idle.Take();
    if (call == nullptr) {
      shed++;
      continue;
    }
    call->since = due;
    call->Start(&queue);
  }
  std::this_thread::sleep_until(end);
  // The receiver ends when what is under way has come back.
  queue.Shutdown();
  receiver.join();
  return {calls, seconds, shed};
}
