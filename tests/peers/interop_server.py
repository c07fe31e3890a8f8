"""A server of Python's grpcio: gRPC's interoperability service, and failures with details.

Usage: interop_server.py. The folder of the generated code is in PYTHONPATH. Prints "listening PORT"; ends by SIGTERM.
"""

import signal
import threading
import time
from concurrent import futures

import grpc
from generated import empty_pb2, messages_pb2, probe_pb2_grpc, status_pb2, test_pb2_grpc

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}


def echo_metadata(context):
    given = context.invocation_metadata()
    context.send_initial_metadata([entry for entry in given if entry[0] == INITIAL])
    context.set_trailing_metadata([entry for entry in given if entry[0] == TRAILING])


def fail_if_told(status, context):
    if status.code != 0:
        context.abort(CODES[status.code], status.message)


def replies_to(request):
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1e6)
        payload = messages_pb2.Payload(body=bytes(parameters.size))
        yield messages_pb2.StreamingOutputCallResponse(payload=payload)


class Test(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        echo_metadata(context)
        fail_if_told(request.response_status, context)
        payload = messages_pb2.Payload(body=bytes(request.response_size))
        return messages_pb2.SimpleResponse(payload=payload)

    def StreamingOutputCall(self, request, context):
        yield from replies_to(request)

    def StreamingInputCall(self, requests, context):
        size = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=size)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            fail_if_told(request.response_status, context)
            yield from replies_to(request)


class Probe(probe_pb2_grpc.ProbeServicer):
    def Fail(self, request, context):
        status = status_pb2.Status(code=request.status, message=request.message)
        status.details.add().Pack(request)
        details = ("grpc-status-details-bin", status.SerializeToString())
        context.set_trailing_metadata((("x-reason", "told to"), details))
        context.abort(CODES[request.status], request.message)


def main():
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    test_pb2_grpc.add_TestServiceServicer_to_server(Test(), server)
    probe_pb2_grpc.add_ProbeServicer_to_server(Probe(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening {port}", flush=True)
    end.wait()
    server.stop(grace=None).wait()


main()
