/** How a call failed. */
import assert from "node:assert/strict";
import { messageOf } from "@koala/interface";
import { RpcError } from "@koala/mrpc";

/** The error that a call rejects with; fails when the call succeeds or rejects with anything else. */
export async function rejection(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof RpcError, `expected an RpcError, found ${messageOf(error)}`);
    return error;
  }
  assert.fail("the call succeeded");
}
