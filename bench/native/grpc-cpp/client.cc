// Calls bench.v1.Echo with gRPC C++ on command: `client PORT`. The commands are those of
// bench/src/load/load-command.ts.
//
// Asynchronous calls of one thread over one channel, with a completion queue. On two processors this is the
// fastest of gRPC's interfaces, with one call in flight (blocking calls take longer) and with many.
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "closed-loop.h"
#include "open-loop.h"

// One unit with what is generated: the headers of gRPC are most of what is compiled.
#include "bench/v1/bench.grpc.pb.cc"

namespace {

// A line from stdin.
class Command {
 public:
  explicit Command(const std::string& line) {
    const auto status = google::protobuf::util::JsonStringToMessage(line, &fields_);
    if (!status.ok()) Fail("not a command: " + line);
  }

  double Number(const std::string& name, double otherwise = 0) const {
    const auto& field = Field(name);
    return field.has_number_value() ? field.number_value() : otherwise;
  }
  bool Bool(const std::string& name) const { return Field(name).bool_value(); }
  const std::string& Text(const std::string& name) const { return Field(name).string_value(); }

 private:
  const google::protobuf::Value& Field(const std::string& name) const {
    const auto found = fields_.fields().find(name);
    return found == fields_.fields().end() ? google::protobuf::Value::default_instance()
                                           : found->second;
  }

  google::protobuf::Struct fields_;
};

std::vector<std::unique_ptr<Call>> MakeCalls(bench::v1::Echo::Stub* stub, const Command& command) {
  const auto bytes = static_cast<size_t>(command.Number("bytes"));
  const auto in_flight = static_cast<size_t>(command.Number("inFlight"));
  const std::string& method = command.Text("method");
  std::vector<std::unique_ptr<Call>> pool;
  for (size_t i = 0; i < in_flight; i++) {
    if (method == "echo") {
      pool.push_back(std::make_unique<EchoCall>(stub, bytes, command.Text("text")));
    } else if (method == "put") {
      pool.push_back(std::make_unique<PutCall>(stub, bytes));
    } else {
      Fail("the method is " + method + ", expected echo or put");
    }
  }
  if (pool.empty()) Fail("no call in flight");
  return pool;
}

void Run(bench::v1::Echo::Stub* stub, const Command& command, Samples* samples) {
  samples->keep = command.Bool("keep");
  const auto pool = MakeCalls(stub, command);
  const double seconds = command.Number("seconds");
  const double rate = command.Number("rate");
  const auto seed = static_cast<uint32_t>(command.Number("seed", 1));
  const Round round = rate > 0 ? OpenLoop(pool, rate, seed, seconds, samples)
                               : ClosedLoop(pool, seconds, samples);
  std::cout << "{\"calls\":" << round.calls << ",\"seconds\":" << Figure(round.seconds);
  if (rate > 0) std::cout << ",\"shed\":" << round.shed;
  std::cout << ",\"p50Us\":" << Figure(samples->EndRound()) << "}" << std::endl;
}

void TellFigures(const Command& command, Samples* samples) {
  const auto ascending = samples->Ascending();
  std::cout << "{\"samples\":" << ascending.size()
            << ",\"p50Us\":" << Figure(Percentile(ascending, 50))
            << ",\"p95Us\":" << Figure(Percentile(ascending, 95))
            << ",\"p99Us\":" << Figure(Percentile(ascending, 99))
            << ",\"p999Us\":" << Figure(Percentile(ascending, 99.9))
            << ",\"minUs\":" << Figure(Percentile(ascending, 0));
  if (command.Bool("histogram")) {
    const char* separator = ",\"histogram\":[";
    for (const auto& [bucket, count] : samples->Histogram()) {
      std::cout << separator << "[" << bucket << "," << count << "]";
      separator = ",";
    }
    std::cout << (ascending.empty() ? ",\"histogram\":[]" : "]");
  }
  std::cout << "}" << std::endl;
  if (command.Bool("forget")) samples->Forget();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) Fail("expected the port of the server as the only argument");
  grpc::ChannelArguments options;
  // Messages of any size, both ways.
  options.SetMaxSendMessageSize(-1);
  options.SetMaxReceiveMessageSize(-1);
  const auto channel = grpc::CreateCustomChannel(std::string("127.0.0.1:") + argv[1],
                                                 grpc::InsecureChannelCredentials(), options);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
    Fail(std::string("no connection to port ") + argv[1] + " within 10 s");
  }
  const auto stub = bench::v1::Echo::NewStub(channel);
  std::map<std::string, Samples> by_series;
  std::cout << "{\"ready\":true}" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "end";) {
    const Command command(line);
    Samples& samples = by_series[command.Text("series")];
    if (command.Text("op") == "figures") {
      TellFigures(command, &samples);
    } else {
      Run(stub.get(), command, &samples);
    }
  }
  return 0;
}
