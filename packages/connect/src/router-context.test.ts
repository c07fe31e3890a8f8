import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextKey, createContextValues } from "@connectrpc/connect";
import { type HandlerContext, RpcError, Status } from "@koala/mrpc";
import { koalaContext } from "./context-keys.ts";
import { type MethodFacts, RouterContext } from "./router-context.ts";

const method = { name: "Find", parent: { typeName: "geo.v1.Geo" } } as DescMethod;

class FakeCall {
  readonly asked: string[] = [];
  readonly controller: AbortController = new AbortController();
  readonly headers: Headers = new Headers();

  get signal(): AbortSignal {
    this.asked.push("signal");
    return this.controller.signal;
  }

  get requestHeader(): Headers {
    this.asked.push("requestHeader");
    return this.headers;
  }

  get timeoutMs(): number {
    return 4.2;
  }
}

function open(more: Partial<MethodFacts> = {}): { call: FakeCall; context: RouterContext } {
  const call = new FakeCall();
  const facts = { method, url: "koala://geo/geo.v1.Geo/Find", ...more };
  const context = new RouterContext(
    { shutdownSignal: undefined, contextValues: undefined, ...facts },
    call as unknown as HandlerContext,
  );
  return { call, context };
}

describe("the context of a router's handler", () => {
  test("makes nothing that nobody asks for", () => {
    const { call, context } = open();
    assert.equal(context.method, method);
    assert.equal(context.service.typeName, "geo.v1.Geo");
    context.end();
    assert.deepEqual(call.asked, []);
    assert.equal(context.requestHeader, call.headers);
    assert.deepEqual(call.asked, ["requestHeader"]);
  });

  test("its functions need no this", () => {
    const { timeoutMs } = open().context;
    assert.equal(timeoutMs(), 5);
  });

  test("its signal ends with the call, for the reason that the call has", () => {
    const { call, context } = open();
    const { signal } = context;
    const error = new RpcError(Status.DEADLINE_EXCEEDED, "too late");
    call.controller.abort(error);
    assert.ok(signal.reason instanceof ConnectError);
    assert.equal(signal.reason.code, Code.DeadlineExceeded);
    assert.equal(signal.reason.cause, error);
    const late = open();
    late.call.controller.abort(error);
    assert.equal(late.context.signal.reason.code, Code.DeadlineExceeded);
  });

  test("its signal ends with the handler, and is ended when asked for later", () => {
    const { context } = open();
    const { signal } = context;
    assert.equal(signal.aborted, false);
    context.end();
    assert.equal(signal.aborted, true);
    const later = open().context;
    later.end();
    assert.equal(later.signal.aborted, true);
  });

  test("a server that shuts down ends it, and hears nothing of calls that are over", () => {
    const controller = new AbortController();
    const shutdownSignal = controller.signal;
    let listeners = 0;
    const { addEventListener, removeEventListener } = shutdownSignal;
    shutdownSignal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(shutdownSignal, args);
    };
    shutdownSignal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(shutdownSignal, args);
    };
    const running = open({ shutdownSignal }).context;
    const ended = open({ shutdownSignal }).context;
    assert.equal(running.signal.aborted || ended.signal.aborted, false);
    ended.end();
    assert.equal(listeners, 1);
    const reason = new ConnectError("closing", Code.Unavailable);
    controller.abort(reason);
    assert.equal(running.signal.reason, reason);
    assert.equal(open({ shutdownSignal }).context.signal.reason, reason);
  });

  test("its values are what the server says, and know Koala's context", () => {
    const key = createContextKey("nobody");
    const { call, context } = open({ contextValues: () => createContextValues().set(key, "ada") });
    assert.equal(context.values.get(key), "ada");
    assert.equal(context.values.get(koalaContext), call);
    assert.equal(context.values, context.values);
  });
});
