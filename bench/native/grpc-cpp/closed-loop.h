// `in_flight` calls, each made again when its reply has come; the counterpart of bench/src/load/call-load.ts.
#pragma once

#include <memory>
#include <vector>

#include "call.h"
#include "samples.h"

// What a round came to.
struct Round {
  uint64_t calls = 0;
  double seconds = 0;
  // Calls of an open loop that were due and not made: as many as allowed were under way.
  uint64_t shed = 0;
};

// One thread takes ends of calls from a queue and makes the next calls. It reads the socket itself, so that
// no other thread has to be woken.
inline Round ClosedLoop(const std::vector<std::unique_ptr<Call>>& pool, double seconds,
                       Samples* samples) {
  grpc::CompletionQueue queue;
  const auto start = Clock::now();
  const auto end = start + Seconds(seconds);
  Round round;
  for (const auto& call : pool) {
    call->since = Clock::now();
    call->Start(&queue);
  }
  for (size_t open = pool.size(); open > 0;) {
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    auto* call = static_cast<Call*>(tag);
    call->Check();
    const auto now = Clock::now();
    samples->Add(MicrosBetween(call->since, now));
    if (now < end) {
      round.calls++;
      round.seconds = MicrosBetween(start, now) / 1e6;
      call->since = now;
      call->Start(&queue);
    } else {
      open--;
    }
  }
  // So slow that none came back in time: what was under way counts.
  if (round.calls == 0) round = {pool.size(), MicrosBetween(start, Clock::now()) / 1e6, 0};
  return round;
}
