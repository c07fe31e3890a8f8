import assert from "node:assert/strict";
import { test } from "node:test";
import { KoalaError, Status } from "@koala/interface";
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
