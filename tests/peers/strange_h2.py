"""Calls that are unusual or wrong in HTTP/2, by Python's h2, which shares no code with Node's implementation.

Usage: strange_h2.py HOST:PORT. Prints "ok NAME" or "failed NAME: why" for each case, and "done". Each has a
connection of its own; what is wrong is refused, what is only unusual is answered.
"""

import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

ECHO = "/test.v1.Probe/Echo"
# A note whose text is "hi", with the prefix of gRPC.
NOTE = b"\0\0\0\0\4\x0a\2hi"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM = 1


class Connection:
    def __init__(self, address, window=65535):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        config = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        # Later changes count from the answer to them on, those made here from the first frame on.
        values = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values=values)
        self.h2.initiate_connection()
        self.flush()
        self.body = b""
        self.headers = {}
        self.pongs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def raw(self, kind, flags, stream, payload):
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
        self.socket.sendall(head + payload)

    def begin(self, more=(), without=()):
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":authority": "peer",
            ":path": ECHO,
            "content-type": "application/grpc",
            "te": "trailers",
        }
        kept = [field for field in fields.items() if field[0] not in without]
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, kept + list(more))
        self.flush()
        return stream

    def say(self, stream, data=NOTE, end=True):
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def outcome(self):
        """"answered" with all of a response, or "refused", the stream or the connection."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return "refused"
            if not data:
                return "refused"
            for event in self.h2.receive_data(data):
                if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return "refused"
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    fields = [(bytes(key), bytes(value)) for key, value in event.headers]
                    self.headers.update(fields)
                elif isinstance(event, h2.events.DataReceived):
                    self.body += event.data
                    if event.flow_controlled_length > 0:
                        self.h2.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                elif isinstance(event, h2.events.PingAckReceived):
                    self.pongs += 1
                elif isinstance(event, h2.events.StreamEnded):
                    return "answered"
            self.flush()


def expect(actual, wanted):
    if actual != wanted:
        raise AssertionError(f"got {actual!r}, expected {wanted!r}")


def expect_echo(connection):
    expect(connection.outcome(), "answered")
    expect(connection.headers.get(b":status"), b"200")
    expect(connection.headers.get(b"grpc-status"), b"0")
    expect(connection.body, NOTE)


def one_byte_a_frame(address):
    with Connection(address) as connection:
        stream = connection.begin()
        for i in range(len(NOTE)):
            connection.h2.send_data(stream, NOTE[i : i + 1], pad_length=i)
            connection.flush()
        connection.h2.send_data(stream, b"", end_stream=True)
        connection.flush()
        expect_echo(connection)


def one_byte_of_window(address):
    with Connection(address, window=1) as connection:
        connection.say(connection.begin())
        expect_echo(connection)


def trailers_of_a_request(address):
    with Connection(address) as connection:
        stream = connection.begin()
        connection.say(stream, end=False)
        connection.h2.send_headers(stream, [("x-checksum", "17")], end_stream=True)
        connection.flush()
        expect_echo(connection)


def headers_over_several_frames(address):
    with Connection(address) as connection:
        # HPACK needs 13 bits for each, and a frame has 16 KiB.
        connection.say(connection.begin([("x-long", "~" * 11_000)]))
        expect_echo(connection)
        expect(connection.headers.get(b"x-long"), b"~" * 11_000)


def pings_between(address):
    with Connection(address) as connection:
        stream = connection.begin()
        for i in range(50):
            connection.h2.ping(i.to_bytes(8, "big"))
        connection.say(stream)
        expect_echo(connection)
        expect(connection.pongs, 50)


def frames_of_unknown_kind(address):
    with Connection(address) as connection:
        stream = connection.begin()
        connection.raw(0xFA, 0xFF, stream, b"nobody knows it")
        connection.say(stream)
        expect_echo(connection)


def refuse_headers(address, more=(), without=()):
    with Connection(address) as connection:
        stream = connection.begin(more, without)
        # It may be gone before all is said.
        connection.raw(DATA, END_STREAM, stream, NOTE)
        outcome = connection.outcome()
        is_error = connection.headers.get(b":status", b"200") >= b"400"
        expect("refused" if is_error else outcome, "refused")


def uppercase_name(address):
    refuse_headers(address, [("X-Upper", "case")])


def header_of_a_connection(address):
    refuse_headers(address, [("connection", "close")])


def no_path(address):
    refuse_headers(address, without=(":path",))


def two_paths(address):
    refuse_headers(address, [(":path", ECHO)])


def line_feed_in_a_value(address):
    """The call may go on, but the value goes nowhere: the service would give back all that begins with x-."""
    with Connection(address) as connection:
        stream = connection.begin([("x-split", "a\r\nx-other: b"), ("x-good", "kept")])
        connection.raw(DATA, END_STREAM, stream, NOTE)
        if connection.outcome() == "answered":
            expect(connection.headers.get(b"x-good"), b"kept")
            names = set(connection.headers)
            expect(names & {b"x-split", b"x-other", b"split", b"other"}, set())


def refuse_frame(address, kind, flags, stream_of, payload):
    with Connection(address) as connection:
        stream = connection.begin()
        connection.raw(kind, flags, stream_of(stream), payload)
        expect(connection.outcome(), "refused")


def window_that_overflows(address):
    refuse_frame(address, WINDOW_UPDATE, 0, lambda _: 0, b"\x7f\xff\xff\xff")


def window_by_nothing(address):
    refuse_frame(address, WINDOW_UPDATE, 0, lambda stream: stream, bytes(4))


def settings_of_odd_length(address):
    refuse_frame(address, SETTINGS, 0, lambda _: 0, bytes(5))


def frame_over_the_limit(address):
    refuse_frame(address, DATA, 0, lambda stream: stream, bytes(1 << 20))


def stream_of_the_server(address):
    refuse_frame(address, HEADERS, 4, lambda _: 2, b"\x83")


def ping_of_a_stream(address):
    refuse_frame(address, PING, 0, lambda stream: stream, bytes(8))


def padding_longer_than_the_frame(address):
    refuse_frame(address, DATA, 8, lambda stream: stream, b"\xff" + NOTE)


CASES = (
    one_byte_a_frame,
    one_byte_of_window,
    trailers_of_a_request,
    headers_over_several_frames,
    pings_between,
    frames_of_unknown_kind,
    uppercase_name,
    header_of_a_connection,
    no_path,
    two_paths,
    line_feed_in_a_value,
    window_that_overflows,
    window_by_nothing,
    settings_of_odd_length,
    frame_over_the_limit,
    stream_of_the_server,
    ping_of_a_stream,
    padding_longer_than_the_frame,
)


def main(address):
    for case in CASES:
        try:
            case(address)
            # Whatever it was, the next caller does not notice.
            with Connection(address) as connection:
                connection.say(connection.begin())
                expect_echo(connection)
            print(f"ok {case.__name__}", flush=True)
        except Exception as error:  # Whatever it is, it is the outcome of the case.
            print(f"failed {case.__name__}: {error!r}".replace("\n", " "), flush=True)
    print("done", flush=True)


main(*sys.argv[1:])
