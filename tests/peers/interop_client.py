"""A client of Python's grpcio: gRPC's interoperability cases and some more, against an address.

Usage: interop_client.py HOST:PORT [CASE...]. The folder of the generated code is in PYTHONPATH. Prints "ok NAME" or
"failed NAME: why" for each case, and "done".
"""

import sys
import threading

import grpc
from generated import (
    empty_pb2,
    messages_pb2,
    probe_pb2,
    probe_pb2_grpc,
    status_pb2,
    test_pb2_grpc,
)

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
# Beyond it a call hangs.
TIMEOUT = 30
SIZES = (31415, 9, 2653, 58979)
GIVEN = (27182, 8, 1828, 45904)


def expect(actual, wanted):
    if actual != wanted:
        raise AssertionError(f"got {actual!r}, expected {wanted!r}")


def zeros(size):
    return messages_pb2.Payload(body=bytes(size))


def error_of(action):
    try:
        action()
    except grpc.RpcError as error:
        return error
    raise AssertionError("expected an error")


def large_request(**more):
    return messages_pb2.SimpleRequest(response_size=314159, payload=zeros(271828), **more)


def output_request(*sizes, given=0):
    return messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=size) for size in sizes],
        payload=zeros(given),
    )


def empty_unary(test, _):
    expect(test.EmptyCall(empty_pb2.Empty(), timeout=TIMEOUT), empty_pb2.Empty())


def large_unary(test, _):
    expect(test.UnaryCall(large_request(), timeout=TIMEOUT).payload.body, bytes(314159))


def client_compressed_unary(test, _):
    reply = test.UnaryCall(large_request(), timeout=TIMEOUT, compression=grpc.Compression.Gzip)
    expect(reply.payload.body, bytes(314159))


def client_streaming(test, _):
    requests = (messages_pb2.StreamingInputCallRequest(payload=zeros(size)) for size in GIVEN)
    expect(test.StreamingInputCall(requests, timeout=TIMEOUT).aggregated_payload_size, 74922)


def server_streaming(test, _):
    replies = test.StreamingOutputCall(output_request(*SIZES), timeout=TIMEOUT)
    expect([len(reply.payload.body) for reply in replies], list(SIZES))


class Conversation:
    """Requests that are said one by one, when the replies ask for them."""

    def __init__(self):
        self._next = []
        self._is_over = False
        self._changed = threading.Condition()

    def say(self, request):
        with self._changed:
            self._next.append(request)
            self._changed.notify()

    def end(self):
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            self._changed.wait_for(lambda: self._next or self._is_over, TIMEOUT)
            if not self._next:
                raise StopIteration
            return self._next.pop(0)


def ping_pong(test, _):
    talk = Conversation()
    replies = test.FullDuplexCall(talk, timeout=TIMEOUT)
    for size, given in zip(SIZES, GIVEN):
        talk.say(output_request(size, given=given))
        expect(len(next(replies).payload.body), size)
    talk.end()
    expect(list(replies), [])
    expect(replies.code(), grpc.StatusCode.OK)


def empty_stream(test, _):
    expect(list(test.FullDuplexCall(iter(()), timeout=TIMEOUT)), [])


def cancel_after_begin(test, _):
    talk = Conversation()
    call = test.StreamingInputCall.future(talk, timeout=TIMEOUT)
    call.cancel()
    talk.end()
    expect(call.cancelled(), True)
    expect(call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(test, _):
    talk = Conversation()
    replies = test.FullDuplexCall(talk, timeout=TIMEOUT)
    talk.say(output_request(31415, given=27182))
    expect(len(next(replies).payload.body), 31415)
    replies.cancel()
    expect(error_of(lambda: next(replies)).code(), grpc.StatusCode.CANCELLED)
    talk.end()


def timeout_on_sleeping_server(test, _):
    talk = Conversation()
    replies = test.FullDuplexCall(talk, timeout=0.001)
    talk.say(messages_pb2.StreamingOutputCallRequest(payload=zeros(27182)))
    expect(error_of(lambda: next(replies)).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    talk.end()


def custom_metadata(test, _):
    sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))

    def check(call):
        expect(dict(call.initial_metadata()).get(INITIAL), sent[0][1])
        expect(dict(call.trailing_metadata()).get(TRAILING), sent[1][1])

    check(test.UnaryCall.with_call(large_request(), metadata=sent, timeout=TIMEOUT)[1])
    replies = test.FullDuplexCall(iter([output_request(314159)]), metadata=sent, timeout=TIMEOUT)
    expect([len(reply.payload.body) for reply in replies], [314159])
    check(replies)


def status_code_and_message(test, _):
    wanted = messages_pb2.EchoStatus(code=2, message="test status message")
    unary = messages_pb2.SimpleRequest(response_status=wanted)
    stream = messages_pb2.StreamingOutputCallRequest(response_status=wanted)
    for error in (
        error_of(lambda: test.UnaryCall(unary, timeout=TIMEOUT)),
        error_of(lambda: list(test.FullDuplexCall(iter([stream]), timeout=TIMEOUT))),
    ):
        expect(error.code(), grpc.StatusCode.UNKNOWN)
        expect(error.details(), wanted.message)


def special_status_message(test, _):
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    wanted = messages_pb2.EchoStatus(code=2, message=message)
    request = messages_pb2.SimpleRequest(response_status=wanted)
    error = error_of(lambda: test.UnaryCall(request, timeout=TIMEOUT))
    expect(error.code(), grpc.StatusCode.UNKNOWN)
    expect(error.details(), message)


def unimplemented_method(test, _):
    error = error_of(lambda: test.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT))
    expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(_, channel):
    other = test_pb2_grpc.UnimplementedServiceStub(channel)
    error = error_of(lambda: other.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT))
    expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def status_details(_, channel):
    probe = probe_pb2_grpc.ProbeStub(channel)
    request = probe_pb2.Failure(status=9, message="n\u00f6: 100 %")
    error = error_of(lambda: probe.Fail(request, timeout=TIMEOUT))
    expect(error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    expect(error.details(), request.message)
    trailers = dict(error.trailing_metadata())
    expect(trailers.get("x-reason"), "told to")
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    expect((status.code, status.message, len(status.details)), (9, request.message, 1))
    detail = probe_pb2.Failure()
    expect(status.details[0].Unpack(detail), True)
    expect(detail, request)


def many_at_once(test, _):
    calls = [
        test.UnaryCall.future(messages_pb2.SimpleRequest(response_size=size), timeout=TIMEOUT)
        for size in range(200)
    ]
    expect([len(call.result().payload.body) for call in calls], list(range(200)))


CASES = (
    empty_unary,
    large_unary,
    client_compressed_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    status_details,
    many_at_once,
)


def main(address, *names):
    with grpc.insecure_channel(address) as channel:
        test = test_pb2_grpc.TestServiceStub(channel)
        for case in CASES:
            name = case.__name__
            if names and name not in names:
                continue
            try:
                case(test, channel)
                print(f"ok {name}", flush=True)
            except Exception as error:  # Whatever it is, it is the outcome of the case.
                print(f"failed {name}: {error!r}".replace("\n", " "), flush=True)
    print("done", flush=True)


main(*sys.argv[1:])
