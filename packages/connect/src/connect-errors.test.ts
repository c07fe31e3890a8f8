import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { KoalaError, RpcError, Status } from "@koala/mrpc";
import { ErrorInfoSchema, RetryInfoSchema } from "@koala/mrpc/google-rpc";
import { connectErrorFrom, rpcErrorFrom } from "./connect-errors.ts";

const info = { desc: ErrorInfoSchema, value: { reason: "NO_CITY", domain: "geo" } };

describe("connectErrorFrom", () => {
  test("keeps code, text, trailers and details, and has the error as its cause", () => {
    const error = new RpcError(Status.NOT_FOUND, "no such city", {
      details: [info],
      metadata: [
        ["why", "told"],
        ["raw-bin", new Uint8Array([1, 2])],
      ],
    });
    const converted = connectErrorFrom(error);
    assert.equal(converted.code, Code.NotFound);
    assert.equal(converted.rawMessage, "no such city");
    assert.equal(converted.message, "[not_found] no such city");
    assert.deepEqual(
      [...converted.metadata],
      [
        ["raw-bin", "AQI"],
        ["why", "told"],
      ],
    );
    assert.equal(converted.findDetails(ErrorInfoSchema)[0]?.reason, "NO_CITY");
    assert.deepEqual(converted.findDetails(RetryInfoSchema), []);
    assert.equal(converted.cause, error);
  });

  test("adds the headers of the response", () => {
    const error = new RpcError(Status.ABORTED, "", { metadata: [["both", "trailer"]] });
    const { metadata } = connectErrorFrom(error, new Headers({ both: "header", head: "1" }));
    assert.deepEqual([...metadata].sort(), [
      ["both", "trailer, header"],
      ["head", "1"],
    ]);
  });

  test("numbers of all codes are the same", () => {
    for (const [name, status] of Object.entries(Status)) {
      if (status === Status.OK || typeof status !== "number") continue;
      const plain = name.replaceAll("_", "").replace("CANCELLED", "CANCELED");
      const { code } = connectErrorFrom(new RpcError(status, ""));
      assert.equal(Code[code]?.toUpperCase(), plain);
    }
  });

  test("details that are no google.rpc.Status are in the cause", () => {
    const details = new Uint8Array([255, 1]);
    const converted = connectErrorFrom(new RpcError(Status.ABORTED, "", { details }));
    assert.deepEqual(converted.details, []);
    assert.deepEqual((converted.cause as RpcError).details, details);
  });

  test("what the caller's requests threw comes back", () => {
    const own = new ConnectError("out of drops", Code.ResourceExhausted);
    assert.equal(connectErrorFrom(new RpcError(Status.CANCELLED, "…", { cause: own })), own);
  });

  test("without a call there is a reason, too", () => {
    const codeOf = (error: KoalaError): Code => connectErrorFrom(error).code;
    assert.equal(codeOf(new KoalaError("ERR_CLIENT_TARGET", "")), Code.InvalidArgument);
    assert.equal(codeOf(new KoalaError("ERR_MESH_CLOSED", "")), Code.Internal);
    assert.equal(connectErrorFrom(new TypeError("oops")).code, Code.Internal);
  });
});

describe("rpcErrorFrom", () => {
  test("takes a ConnectError there and back", () => {
    const value = { reason: "NO_CITY", domain: "geo" };
    const error = new ConnectError(
      "no such city",
      Code.NotFound,
      { why: "told", "raw-bin": "AQI" },
      [{ desc: ErrorInfoSchema, value }],
    );
    const converted = rpcErrorFrom(error);
    assert.deepEqual(converted.metadata, [
      ["raw-bin", new Uint8Array([1, 2])],
      ["why", "told"],
    ]);
    // Once more, with details as they came in.
    const again = connectErrorFrom(rpcErrorFrom(connectErrorFrom(converted)));
    assert.equal(again.code, Code.NotFound);
    assert.equal(again.rawMessage, "no such city");
    assert.deepEqual(again.details, connectErrorFrom(converted).details);
    assert.equal(again.findDetails(ErrorInfoSchema)[0]?.domain, "geo");
  });

  test("drops metadata that can't travel, not the status", () => {
    const error = rpcErrorFrom(new ConnectError("x", Code.Aborted, { "bad-bin": "!" }));
    assert.deepEqual([error.status, error.metadata], [Status.ABORTED, []]);
  });

  test("tells callers nothing of other errors, and leaves an RpcError alone", () => {
    const cause = new TypeError("a secret");
    const error = rpcErrorFrom(cause);
    assert.deepEqual(
      [error.status, error.reason, error.cause],
      [Status.INTERNAL, "internal error", cause],
    );
    const own = new RpcError(Status.ABORTED, "x");
    assert.equal(rpcErrorFrom(own), own);
  });
});
