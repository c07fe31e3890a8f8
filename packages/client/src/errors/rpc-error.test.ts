import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { KoalaError, Status } from "@koala/interface";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "../google-rpc.ts";
import { abortError, RpcError } from "./rpc-error.ts";

test("status, code and message", () => {
  const error = new RpcError(Status.NOT_FOUND, "no such city", { metadata: [["a", "b"]] });
  assert.equal(error.code, "ERR_RPC_NOT_FOUND");
  assert.equal(error.message, "NOT_FOUND: no such city");
  assert.equal(error.reason, "no such city");
  assert.equal(error.statusName, "NOT_FOUND");
  assert.equal(error.origin, "app");
  assert.equal(new RpcError(Status.ABORTED, "").message, "ABORTED");
});

test("instanceof goes by brand, and not every KoalaError is one", () => {
  const error = new RpcError(Status.INTERNAL, "x");
  assert.ok(error instanceof RpcError);
  assert.ok(error instanceof KoalaError);
  assert.ok(error instanceof Error);
  assert.ok(!(new KoalaError("ERR_X", "x") instanceof RpcError));
  // What another copy of this package makes.
  const foreign = Object.defineProperty(new Error("x"), Symbol.for("koala.rpc-error"), {
    value: true,
  });
  assert.ok(foreign instanceof RpcError);
});

test("retryable follows the status unless it is said", () => {
  assert.ok(new RpcError(Status.UNAVAILABLE, "").retryable);
  assert.ok(!new RpcError(Status.NOT_FOUND, "").retryable);
  assert.ok(!new RpcError(Status.RESOURCE_EXHAUSTED, "", { retryable: false }).retryable);
});

test("an abort by a timeout is a deadline", () => {
  const timeout = new DOMException("timed out", "TimeoutError");
  assert.equal(abortError(timeout).status, Status.DEADLINE_EXCEEDED);
  assert.equal(abortError(undefined).status, Status.CANCELLED);
});

test("what a denial says is in trailers, and at hand", () => {
  const error = new RpcError(Status.PERMISSION_DENIED, "not you", {
    origin: "policy",
    metadata: [
      ["koala-policy", "acl"],
      ["koala-request-id", "a1-7"],
      ["koala-rule", "no-danyang"],
    ],
  });
  assert.equal(error.policy, "acl");
  assert.equal(error.rule, "no-danyang");
  assert.equal(error.requestId, "a1-7");
  assert.equal(
    String(error),
    "RpcError: PERMISSION_DENIED: not you (from policy acl, rule no-danyang, request a1-7)",
  );
  assert.equal(new RpcError(Status.INTERNAL, "x").policy, undefined);
});

test("details are messages of any types", () => {
  const error = new RpcError(Status.INVALID_ARGUMENT, "bad city", {
    details: [
      { desc: ErrorInfoSchema, value: { reason: "NO_CITY", domain: "geo", metadata: { a: "b" } } },
      { desc: BadRequestSchema, value: { fieldViolations: [{ field: "name" }] } },
      { desc: ErrorInfoSchema, value: { reason: "SECOND" } },
    ],
  });
  const status = fromBinary(StatusSchema, error.details);
  assert.equal(status.code, Status.INVALID_ARGUMENT);
  assert.equal(status.message, "bad city");
  const arrived = new RpcError(Status.INVALID_ARGUMENT, "bad city", { details: error.details });
  const reasons = arrived.findDetails(ErrorInfoSchema).map(({ reason }) => reason);
  assert.deepEqual(reasons, ["NO_CITY", "SECOND"]);
  assert.equal(arrived.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, "name");
  assert.deepEqual(arrived.findDetails(RetryInfoSchema), []);
});

test("details that are something else are no messages", () => {
  const odd = new RpcError(Status.INTERNAL, "x", { details: new Uint8Array([1, 2, 3]) });
  assert.deepEqual(odd.findDetails(ErrorInfoSchema), []);
  const value = { retryDelay: { nanos: 2 ** 40 } };
  assert.throws(
    () => new RpcError(Status.INTERNAL, "x", { details: [{ desc: RetryInfoSchema, value }] }),
    { code: "ERR_MESSAGE_VALUE" },
  );
});

test("an error can be read where it is printed", () => {
  const details = [{ desc: ErrorInfoSchema, value: {} }];
  const cause = new RpcError(Status.INTERNAL, "inner");
  const text = inspect(new RpcError(Status.ABORTED, "x", { details, cause, origin: "link" }));
  assert.match(text, /^RpcError: ABORTED: x\n {4}at /);
  assert.match(text, /origin: 'link'/);
  assert.match(text, /details: \[ 'google\.rpc\.ErrorInfo' \]/);
  assert.match(text, /INTERNAL: inner/);
  assert.doesNotMatch(text, /metadata|policy/);
  assert.match(inspect({ a: { b: { c: { error: cause } } } }, { depth: 2 }), /\[Object\]/);
});
