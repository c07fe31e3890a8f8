// Serves bench.v1.Echo with gRPC C++ on a free port, says which, and ends with its stdin. Streams are not
// served.
//
// One thread and one completion queue: on two processors, of which the client needs the other, this is
// faster than two threads, than the callback interface and than blocking handlers.
#include <cstdio>
#include <deque>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>

// One unit with what is generated: the headers of gRPC are most of what is compiled.
#include "bench/v1/bench.grpc.pb.cc"

namespace {

using bench::v1::Echo;
using bench::v1::EchoReply;
using bench::v1::EchoRequest;
using bench::v1::PutReply;
using bench::v1::PutRequest;

// The marks at both ends of the data: payload.ts.
constexpr char kStamp = 0x5a;

// How many calls of a method may be served at once; more wait in gRPC.
constexpr int kHandlers = 512;

grpc::Status Serve(EchoRequest* request, EchoReply* reply) {
  // The bytes move from one message to the other and are not copied.
  reply->mutable_payload()->swap(*request->mutable_payload());
  return grpc::Status::OK;
}

grpc::Status Serve(PutRequest* request, PutReply* reply) {
  const std::string& data = request->data();
  if (data.empty() || data.front() != kStamp || data.back() != kStamp) {
    return {grpc::StatusCode::DATA_LOSS, "the bytes are not those that were sent"};
  }
  reply->set_bytes(static_cast<uint32_t>(data.size()));
  return grpc::Status::OK;
}

class Handler {
 public:
  virtual ~Handler() = default;
  // The call has come, or its reply has gone.
  virtual void Continue(bool ok) = 0;
};

// Serves calls of one method, one after the other.
template <typename Request, typename Reply>
class UnaryHandler final : public Handler {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<Reply>;
  using Take = void (Echo::AsyncService::*)(grpc::ServerContext*, Request*, Writer*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                            void*);

  UnaryHandler(Echo::AsyncService* service, grpc::ServerCompletionQueue* queue, Take take)
      : service_(service), queue_(queue), take_(take) {
    WaitForCall();
  }

  void Continue(bool ok) override {
    if (is_replying_) {
      WaitForCall();
    } else if (ok) {
      is_replying_ = true;
      const grpc::Status status = Serve(&request_, &reply_);
      writer_->Finish(reply_, status, this);
    }
    // A call that never came: the server ends.
  }

 private:
  void WaitForCall() {
    is_replying_ = false;
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    (service_->*take_)(&*context_, &request_, &*writer_, queue_, queue_, this);
  }

  Echo::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  Take take_;
  bool is_replying_ = false;
  Request request_;
  Reply reply_;
  std::optional<grpc::ServerContext> context_;
  std::optional<Writer> writer_;
};

}  // namespace

int main() {
  grpc::ServerBuilder builder;
  // Messages of any size, both ways.
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  Echo::AsyncService service;
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr) {
    fprintf(stderr, "grpc-cpp server: no port on 127.0.0.1 could be opened\n");
    return 1;
  }
  std::deque<UnaryHandler<EchoRequest, EchoReply>> echoes;
  std::deque<UnaryHandler<PutRequest, PutReply>> puts;
  for (int i = 0; i < kHandlers; i++) {
    echoes.emplace_back(&service, queue.get(), &Echo::AsyncService::RequestEcho);
    puts.emplace_back(&service, queue.get(), &Echo::AsyncService::RequestPut);
  }
  std::thread worker([&queue] {
    void* tag;
    bool ok;
    while (queue->Next(&tag, &ok)) static_cast<Handler*>(tag)->Continue(ok);
  });
  std::cout << "{\"ready\":true,\"port\":" << port << "}" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "end";) {
  }
  // What is still under way is given up: nobody waits for it any more.
  _Exit(0);
}
