// Calls of bench.v1.Echo that report their end to a completion queue.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/grpcpp.h>

#include "bench/v1/bench.grpc.pb.h"

using Clock = std::chrono::steady_clock;

inline double MicrosBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

inline Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// Ends the program: a load with wrong replies has no figures.
[[noreturn]] inline void Fail(const std::string& why) {
  fprintf(stderr, "grpc-cpp client: %s\n", why.c_str());
  exit(1);
}

// One of the calls that are in flight at the same time: makes one call after the other.
class Call {
 public:
  virtual ~Call() = default;
  // The queue hands back this object when the call is over.
  virtual void Start(grpc::CompletionQueue* queue) = 0;
  // Ends the program unless the reply is right.
  virtual void Check() const = 0;

  // From when the latency counts.
  Clock::time_point since;
};

class EchoCall final : public Call {
 public:
  EchoCall(bench::v1::Echo::Stub* stub, size_t bytes, const std::string& text) : stub_(stub) {
    request_.set_payload(std::string(bytes, '\0'));
    if (!text.empty()) request_.set_name(text);
  }

  void Start(grpc::CompletionQueue* queue) override {
    context_.emplace();
    reader_ = stub_->AsyncEcho(&*context_, request_, queue);
    reader_->Finish(&reply_, &status_, this);
  }

  void Check() const override {
    if (!status_.ok()) Fail(status_.error_message());
    if (reply_.payload().size() != request_.payload().size()) {
      Fail("sent " + std::to_string(request_.payload().size()) + " bytes, the reply has " +
           std::to_string(reply_.payload().size()));
    }
  }

 private:
  bench::v1::Echo::Stub* stub_;
  bench::v1::EchoRequest request_;
  bench::v1::EchoReply reply_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<bench::v1::EchoReply>> reader_;
};

class PutCall final : public Call {
 public:
  PutCall(bench::v1::Echo::Stub* stub, size_t bytes) : stub_(stub) {
    // The stamps that the server checks: payload.ts.
    std::string data(bytes, '\0');
    data.front() = data.back() = 0x5a;
    request_.set_data(std::move(data));
  }

  void Start(grpc::CompletionQueue* queue) override {
    context_.emplace();
    reader_ = stub_->AsyncPut(&*context_, request_, queue);
    reader_->Finish(&reply_, &status_, this);
  }

  void Check() const override {
    if (!status_.ok()) Fail(status_.error_message());
    if (reply_.bytes() != request_.data().size()) {
      Fail("sent " + std::to_string(request_.data().size()) + " bytes, the reply says " +
           std::to_string(reply_.bytes()));
    }
  }

 private:
  bench::v1::Echo::Stub* stub_;
  bench::v1::PutRequest request_;
  bench::v1::PutReply reply_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<bench::v1::PutReply>> reader_;
};
