/** The small parts of the protocols: times, texts, types, paths, encodings. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { headersFrom, metadataOf, textOf } from "../http/headers.ts";
import { callPath } from "./call-path.ts";
import { acceptsGzip } from "./compression.ts";
import { connectError, httpStatusOf } from "./connect-error.ts";
import { getRequestOf } from "./connect-get.ts";
import { contentTypeOf } from "./content-type.ts";
import { decodeStatusMessage, encodeStatusMessage } from "./status-message.ts";
import { connectTimeoutMs, grpcTimeoutMs } from "./timeout.ts";

describe("times", () => {
  it("have a unit in gRPC, and are milliseconds in Connect", () => {
    assert.equal(grpcTimeoutMs(undefined), undefined);
    const times = ["2H", "3M", "4S", "5m", "6000u", "7000000n", "0m", "99999999S"];
    assert.deepEqual(
      times.map(grpcTimeoutMs),
      [7_200_000, 180_000, 4000, 5, 6, 7, 0, 99_999_999_000],
    );
    for (const wrong of ["", "1", "1h", "-1S", "1.5S", "123456789S", "S", "1 S"]) {
      assert.throws(() => grpcTimeoutMs(wrong), /grpc-timeout: expected/, wrong);
    }
    assert.equal(connectTimeoutMs("1500"), 1500);
    for (const wrong of ["", "1s", "-1", "12345678901"]) {
      assert.throws(() => connectTimeoutMs(wrong), /connect-timeout-ms: expected/, wrong);
    }
  });
});

describe("grpc-message", () => {
  it("keeps what ASCII can say, and nothing else", () => {
    assert.equal(encodeStatusMessage("plain text ~"), "plain text ~");
    assert.equal(encodeStatusMessage("100 %\n"), "100 %25%0A");
    assert.equal(encodeStatusMessage("é"), "%C3%A9");
    assert.equal(decodeStatusMessage("half %C3 and %zz and %"), "half \ufffd and %zz and %");
  });

  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const encoded = encodeStatusMessage(text);
        assert.match(encoded, /^[\x20-\x7e]*$/);
        assert.equal(decodeStatusMessage(encoded), text);
      }),
    );
  });
});

describe("content types", () => {
  it("say protocol and codec", () => {
    const read = (text: string): string | undefined => {
      const type = contentTypeOf(text);
      return type && `${type.protocol} ${type.codec}`;
    };
    assert.equal(read("application/grpc"), "grpc proto");
    assert.equal(read("application/grpc+json"), "grpc json");
    assert.equal(read("application/grpc-web-text+proto; charset=utf-8"), "grpc-web-text proto");
    assert.equal(read("APPLICATION/JSON"), "connect-unary json");
    assert.equal(read("application/connect+json"), "connect-stream json");
    for (const wrong of [
      "application/grpc+thrift",
      "application/connect",
      "application/json+proto",
      "text/plain",
      "xapplication/grpc",
      "",
    ]) {
      assert.equal(read(wrong), undefined, wrong);
    }
    assert.equal(contentTypeOf(undefined), undefined);
  });
});

describe("paths", () => {
  it("name service and method", () => {
    assert.deepEqual(callPath("/geo.v1.Geo/Nearest"), { service: "geo.v1.Geo", method: "Nearest" });
    for (const wrong of ["/", "geo.v1.Geo/Nearest", "/a/b/c", "/a/", "//b", "/a b/c", "/a/b%20"]) {
      assert.equal(callPath(wrong), undefined, wrong);
    }
    assert.equal(callPath(`/${"a".repeat(256)}/b`), undefined);
  });
});

describe("encodings", () => {
  it("are accepted by name, unless their weight is zero", () => {
    for (const yes of ["gzip", "br, gzip", "gzip;q=0.5", "identity,deflate,gzip"]) {
      assert.equal(acceptsGzip(yes), true, yes);
    }
    for (const no of [undefined, "", "br", "xgzip", "gzip;q=0", "gzip;q=0.0"]) {
      assert.equal(acceptsGzip(no), false, no);
    }
  });
});

describe("metadata", () => {
  it("leaves out what is HTTP's, and decodes what is binary", () => {
    const entries = metadataOf({
      ":path": "/a/b",
      "content-type": "application/grpc",
      "grpc-timeout": "1S",
      "connect-timeout-ms": "1",
      host: "a",
      "koala-target": "geo",
      "x-text": "v",
      "x-list": ["a", "b"] as never,
      "x-bytes-bin": "AAH/, AQ",
      "x~tilde": "not a key of ours",
    });
    assert.deepEqual(entries, [
      ["x-text", "v"],
      ["x-list", "a"],
      ["x-list", "b"],
      ["x-bytes-bin", Buffer.from([0, 1, 255])],
      ["x-bytes-bin", Buffer.from([1])],
    ]);
    assert.throws(() => metadataOf({ "x-bin": "*" }), /expected base64/);
  });

  it("goes out as headers can carry it", () => {
    const headers = headersFrom([
      ["x-a", "1"],
      ["x-a", "2"],
      ["x-b-bin", Buffer.from([255])],
      ["grpc-status", "0"],
      ["connection", "close"],
    ]);
    assert.deepEqual(headers, { "x-a": ["1", "2"], "x-b-bin": "/w" });
    assert.equal(textOf("é\n"), "%C3%A9%0A");
  });
});

describe("errors of Connect", () => {
  it("have words, and statuses of HTTP", () => {
    const outcome = { status: 1, message: "", details: Buffer.from([0xff, 0xff]), trailers: [] };
    assert.deepEqual(connectError(outcome), { code: "canceled" });
    assert.deepEqual([1, 3, 5, 16, 99].map(httpStatusOf), [499, 400, 404, 401, 500]);
  });
});

describe("queries of Connect's GET", () => {
  it("carry a message", () => {
    const read = (query: string): unknown => {
      const { codec, encoding, message } = getRequestOf(new URLSearchParams(query));
      return [codec, encoding, Buffer.from(message).toString()];
    };
    assert.deepEqual(read("encoding=json&message=%7B%7D"), ["json", "identity", "{}"]);
    assert.deepEqual(read("encoding=proto&base64=1&message=aGk&compression=gzip"), [
      ...["proto", "gzip", "hi"],
    ]);
    for (const wrong of [
      "message=x",
      "encoding=xml&message=x",
      "encoding=json",
      "encoding=proto&base64=1&message=*",
    ]) {
      assert.throws(() => read(wrong), /the query of the call has/, wrong);
    }
  });
});
