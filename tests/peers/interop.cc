// A client and a server of C++ gRPC: gRPC's interoperability cases and some more.
//
//   interop client HOST:PORT   prints "ok NAME" or "failed NAME: why" for each case, and "done"
//   interop server             prints "listening PORT" and answers reflection; ends by SIGTERM
//
// One unit with what is generated for the services: the headers of gRPC are most of what is compiled.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "google/rpc/status.pb.h"
#include "grpc/testing/test.grpc.pb.cc"
#include "test/v1/probe.grpc.pb.cc"

namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestService;
using grpc::testing::UnimplementedService;

const char kInitial[] = "x-grpc-test-echo-initial";
const char kTrailing[] = "x-grpc-test-echo-trailing-bin";
const std::vector<int> kSizes = {31415, 9, 2653, 58979};
const std::vector<int> kGiven = {27182, 8, 1828, 45904};

template <typename Actual, typename Wanted>
void Expect(const char* what, const Actual& actual, const Wanted& wanted) {
  if (actual == wanted) return;
  std::ostringstream text;
  text << what << " is " << actual << ", expected " << wanted;
  throw std::runtime_error(text.str());
}

void ExpectOk(const Status& status) {
  Expect("the status", status.error_code(), StatusCode::OK);
}

struct Clients {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<TestService::Stub> test;
};

// Beyond the deadline a call hangs.
void Limit(ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
}

void Fill(grpc::testing::Payload* payload, int size) { payload->set_body(std::string(size, '\0')); }

SimpleRequest LargeRequest() {
  SimpleRequest request;
  request.set_response_size(314159);
  Fill(request.mutable_payload(), 271828);
  return request;
}

StreamingOutputCallRequest OutputRequest(const std::vector<int>& sizes, int given) {
  StreamingOutputCallRequest request;
  for (int size : sizes) request.add_response_parameters()->set_size(size);
  Fill(request.mutable_payload(), given);
  return request;
}

void EmptyUnary(Clients& clients) {
  ClientContext context;
  Limit(context);
  Empty reply;
  ExpectOk(clients.test->EmptyCall(&context, Empty(), &reply));
}

void LargeUnaryWith(Clients& clients, grpc_compression_algorithm compression) {
  ClientContext context;
  Limit(context);
  context.set_compression_algorithm(compression);
  SimpleResponse reply;
  ExpectOk(clients.test->UnaryCall(&context, LargeRequest(), &reply));
  Expect("the body", reply.payload().body() == std::string(314159, '\0'), true);
}

void LargeUnary(Clients& clients) { LargeUnaryWith(clients, GRPC_COMPRESS_NONE); }

void ClientCompressedUnary(Clients& clients) { LargeUnaryWith(clients, GRPC_COMPRESS_GZIP); }

void ClientStreaming(Clients& clients) {
  ClientContext context;
  Limit(context);
  StreamingInputCallResponse reply;
  auto writer = clients.test->StreamingInputCall(&context, &reply);
  for (int size : kGiven) {
    StreamingInputCallRequest request;
    Fill(request.mutable_payload(), size);
    Expect("a write", writer->Write(request), true);
  }
  writer->WritesDone();
  ExpectOk(writer->Finish());
  Expect("the size", reply.aggregated_payload_size(), 74922);
}

void ServerStreaming(Clients& clients) {
  ClientContext context;
  Limit(context);
  auto reader = clients.test->StreamingOutputCall(&context, OutputRequest(kSizes, 0));
  StreamingOutputCallResponse reply;
  size_t count = 0;
  for (; reader->Read(&reply); count++) {
    Expect("a size", static_cast<int>(reply.payload().body().size()), kSizes.at(count));
  }
  ExpectOk(reader->Finish());
  Expect("the number of messages", count, kSizes.size());
}

void PingPong(Clients& clients) {
  ClientContext context;
  Limit(context);
  auto stream = clients.test->FullDuplexCall(&context);
  StreamingOutputCallResponse reply;
  for (size_t i = 0; i < kSizes.size(); i++) {
    Expect("a write", stream->Write(OutputRequest({kSizes[i]}, kGiven[i])), true);
    Expect("a read", stream->Read(&reply), true);
    Expect("a size", static_cast<int>(reply.payload().body().size()), kSizes[i]);
  }
  stream->WritesDone();
  Expect("one more read", stream->Read(&reply), false);
  ExpectOk(stream->Finish());
}

void EmptyStream(Clients& clients) {
  ClientContext context;
  Limit(context);
  auto stream = clients.test->FullDuplexCall(&context);
  stream->WritesDone();
  StreamingOutputCallResponse reply;
  Expect("a read", stream->Read(&reply), false);
  ExpectOk(stream->Finish());
}

void CancelAfterBegin(Clients& clients) {
  ClientContext context;
  Limit(context);
  StreamingInputCallResponse reply;
  auto writer = clients.test->StreamingInputCall(&context, &reply);
  context.TryCancel();
  Expect("the status", writer->Finish().error_code(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(Clients& clients) {
  ClientContext context;
  Limit(context);
  auto stream = clients.test->FullDuplexCall(&context);
  Expect("a write", stream->Write(OutputRequest({31415}, 27182)), true);
  StreamingOutputCallResponse reply;
  Expect("a read", stream->Read(&reply), true);
  context.TryCancel();
  Expect("the status", stream->Finish().error_code(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(Clients& clients) {
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  auto stream = clients.test->FullDuplexCall(&context);
  stream->Write(OutputRequest({}, 27182));
  Expect("the status", stream->Finish().error_code(), StatusCode::DEADLINE_EXCEEDED);
}

void SendMetadata(ClientContext& context) {
  context.AddMetadata(kInitial, "test_initial_metadata_value");
  context.AddMetadata(kTrailing, "\xab\xab\xab");
}

void CheckMetadata(const ClientContext& context) {
  const auto& header = context.GetServerInitialMetadata();
  const auto& trailer = context.GetServerTrailingMetadata();
  Expect("the headers", header.count(kInitial), 1u);
  Expect("the header", header.find(kInitial)->second == "test_initial_metadata_value", true);
  Expect("the trailers", trailer.count(kTrailing), 1u);
  Expect("the trailer", trailer.find(kTrailing)->second == "\xab\xab\xab", true);
}

void CustomMetadata(Clients& clients) {
  ClientContext unary;
  Limit(unary);
  SendMetadata(unary);
  SimpleResponse single;
  ExpectOk(clients.test->UnaryCall(&unary, LargeRequest(), &single));
  CheckMetadata(unary);
  ClientContext duplex;
  Limit(duplex);
  SendMetadata(duplex);
  auto stream = clients.test->FullDuplexCall(&duplex);
  stream->Write(OutputRequest({314159}, 271828));
  stream->WritesDone();
  StreamingOutputCallResponse reply;
  Expect("a read", stream->Read(&reply), true);
  Expect("one more read", stream->Read(&reply), false);
  ExpectOk(stream->Finish());
  CheckMetadata(duplex);
}

void FailsWith(Clients& clients, int code, const std::string& message) {
  ClientContext context;
  Limit(context);
  SimpleRequest request;
  request.mutable_response_status()->set_code(code);
  request.mutable_response_status()->set_message(message);
  SimpleResponse reply;
  const Status status = clients.test->UnaryCall(&context, request, &reply);
  Expect("the status", static_cast<int>(status.error_code()), code);
  Expect("the message", status.error_message(), message);
}

void StatusCodeAndMessage(Clients& clients) {
  FailsWith(clients, StatusCode::UNKNOWN, "test status message");
  ClientContext context;
  Limit(context);
  auto stream = clients.test->FullDuplexCall(&context);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
  request.mutable_response_status()->set_message("test status message");
  stream->Write(request);
  stream->WritesDone();
  StreamingOutputCallResponse reply;
  Expect("a read", stream->Read(&reply), false);
  const Status status = stream->Finish();
  Expect("the status", status.error_code(), StatusCode::UNKNOWN);
  Expect("the message", status.error_message(), "test status message");
}

void SpecialStatusMessage(Clients& clients) {
  FailsWith(clients, StatusCode::UNKNOWN,
            "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n");
}

void UnimplementedMethod(Clients& clients) {
  ClientContext context;
  Limit(context);
  Empty reply;
  const Status status = clients.test->UnimplementedCall(&context, Empty(), &reply);
  Expect("the status", status.error_code(), StatusCode::UNIMPLEMENTED);
}

void UnimplementedServiceCase(Clients& clients) {
  ClientContext context;
  Limit(context);
  Empty reply;
  auto stub = UnimplementedService::NewStub(clients.channel);
  const Status status = stub->UnimplementedCall(&context, Empty(), &reply);
  Expect("the status", status.error_code(), StatusCode::UNIMPLEMENTED);
}

void StatusDetails(Clients& clients) {
  ClientContext context;
  Limit(context);
  test::v1::Failure request;
  request.set_status(StatusCode::FAILED_PRECONDITION);
  request.set_message("n\u00f6: 100 %");
  test::v1::Note reply;
  const Status status = test::v1::Probe::NewStub(clients.channel)->Fail(&context, request, &reply);
  Expect("the status", status.error_code(), StatusCode::FAILED_PRECONDITION);
  Expect("the message", status.error_message(), request.message());
  const auto& trailers = context.GetServerTrailingMetadata();
  Expect("the trailers", trailers.count("x-reason"), 1u);
  Expect("the trailer", trailers.find("x-reason")->second == "told to", true);
  google::rpc::Status details;
  Expect("the details", details.ParseFromString(status.error_details()), true);
  Expect("their code", details.code(), request.status());
  Expect("their number", details.details_size(), 1);
  test::v1::Failure detail;
  Expect("the detail", details.details(0).UnpackTo(&detail), true);
  Expect("its message", detail.message(), request.message());
}

void ManyAtOnce(Clients& clients) {
  std::vector<std::thread> threads;
  std::vector<int> succeeded(4, 0);
  for (int thread = 0; thread < 4; thread++) {
    threads.emplace_back([&clients, &succeeded, thread] {
      for (int i = 0; i < 50; i++) {
        ClientContext context;
        Limit(context);
        SimpleRequest request;
        request.set_response_size(thread * 50 + i);
        SimpleResponse reply;
        const Status status = clients.test->UnaryCall(&context, request, &reply);
        const int size = static_cast<int>(reply.payload().body().size());
        if (status.ok() && size == request.response_size()) succeeded[thread]++;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int count : succeeded) Expect("the calls of a thread", count, 50);
}

struct Case {
  const char* name;
  void (*run)(Clients&);
};

const Case kCases[] = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"client_compressed_unary", ClientCompressedUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
    {"status_details", StatusDetails},
    {"many_at_once", ManyAtOnce},
};

int RunClient(const char* address) {
  Clients clients;
  clients.channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  clients.test = TestService::NewStub(clients.channel);
  for (const Case& each : kCases) {
    try {
      each.run(clients);
      std::printf("ok %s\n", each.name);
    } catch (const std::exception& error) {
      std::printf("failed %s: %s\n", each.name, error.what());
    }
    std::fflush(stdout);
  }
  std::printf("done\n");
  return 0;
}

void EchoMetadata(grpc::ServerContext* context) {
  for (const auto& entry : context->client_metadata()) {
    const std::string key(entry.first.data(), entry.first.size());
    const std::string value(entry.second.data(), entry.second.size());
    if (key == kInitial) context->AddInitialMetadata(key, value);
    if (key == kTrailing) context->AddTrailingMetadata(key, value);
  }
}

Status StatusFrom(const grpc::testing::EchoStatus& status) {
  return Status(static_cast<StatusCode>(status.code()), status.message());
}

template <typename Stream>
void SendReplies(const StreamingOutputCallRequest& request, Stream* stream) {
  for (const auto& parameters : request.response_parameters()) {
    std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
    StreamingOutputCallResponse reply;
    Fill(reply.mutable_payload(), parameters.size());
    if (!stream->Write(reply)) return;
  }
}

class TestServer final : public TestService::Service {
  Status EmptyCall(grpc::ServerContext*, const Empty*, Empty*) override { return Status::OK; }

  Status UnaryCall(grpc::ServerContext* context, const SimpleRequest* request,
                   SimpleResponse* reply) override {
    EchoMetadata(context);
    if (request->response_status().code() != 0) return StatusFrom(request->response_status());
    Fill(reply->mutable_payload(), request->response_size());
    return Status::OK;
  }

  Status StreamingOutputCall(grpc::ServerContext*, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    SendReplies(*request, writer);
    return Status::OK;
  }

  Status StreamingInputCall(grpc::ServerContext*,
                            grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* reply) override {
    int size = 0;
    StreamingInputCallRequest request;
    while (reader->Read(&request)) size += static_cast<int>(request.payload().body().size());
    reply->set_aggregated_payload_size(size);
    return Status::OK;
  }

  Status FullDuplexCall(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream)
      override {
    EchoMetadata(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (request.response_status().code() != 0) return StatusFrom(request.response_status());
      SendReplies(request, stream);
    }
    return Status::OK;
  }
};

class ProbeServer final : public test::v1::Probe::Service {
  Status Fail(grpc::ServerContext* context, const test::v1::Failure* request,
              test::v1::Note*) override {
    google::rpc::Status details;
    details.set_code(request->status());
    details.set_message(request->message());
    details.add_details()->PackFrom(*request);
    context->AddTrailingMetadata("x-reason", "told to");
    return Status(static_cast<StatusCode>(request->status()), request->message(),
                  details.SerializeAsString());
  }
};

int RunServer(const sigset_t& ends) {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  TestServer test;
  ProbeServer probe;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&test);
  builder.RegisterService(&probe);
  auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("listening %d\n", port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Before the first thread of gRPC: all threads take over what is blocked.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "client" && argc == 3) return RunClient(argv[2]);
  if (mode == "server" && argc == 2) {
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    return RunServer(ends);
  }
  std::fprintf(stderr, "usage: interop client HOST:PORT | interop server\n");
  return 2;
}
