/**
 * Calls of connect-es whose outcome must be the same whatever carries them: routes, what a client does, and what
 * both sides have seen. Nothing here knows Koala.
 */
import { setTimeout } from "node:timers/promises";
import {
  type Client,
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createClient,
  createContextKey,
  createContextValues,
  encodeBinaryHeader,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "@koala/mrpc/google-rpc";
import { until } from "@koala/testing";
import { River } from "./gen/test/v1/river_pb.ts";

export type RouterOptions = Pick<
  ConnectRouterOptions,
  "interceptors" | "maxTimeoutMs" | "shutdownSignal"
>;
export type Routes = (router: ConnectRouter) => void;
type Impl = Partial<ServiceImpl<typeof River>>;
type RiverClient = Client<typeof River>;

/** A transport to a server of these routes. */
export type Carry = (
  routes: Routes,
  options?: { router?: RouterOptions; interceptors?: Interceptor[]; defaultTimeoutMs?: number },
) => Promise<Transport>;

/** What was seen, in words that can be compared. */
export type Scene = (carry: Carry) => Promise<unknown>;

/** What a `ConnectError` says; headers that belong to HTTP are left out. */
export function told(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return { thrown: String(error) };
  const { code, rawMessage, metadata } = error;
  return {
    code: Code[code],
    rawMessage,
    metadata: fields(metadata),
    details: error.findDetails(ErrorInfoSchema).map(({ reason, domain }) => `${reason} ${domain}`),
  };
}

function codeOf(error: unknown): string {
  return error instanceof ConnectError ? Code[error.code]! : String(error);
}

async function failed(call: Promise<unknown>): Promise<unknown> {
  return await call.then(() => "no failure", told);
}

/** Headers of the tests' own. */
function fields(headers: Headers): string[] {
  return [...headers].filter(([key]) => key.startsWith("x-")).map((field) => field.join("="));
}

function bytes(n: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(n).map((_, i) => i * 7);
}

async function all<T>(messages: AsyncIterable<T>, what: (message: T) => unknown): Promise<unknown> {
  const seen: unknown[] = [];
  try {
    for await (const message of messages) seen.push(what(message));
  } catch (error) {
    seen.push(told(error));
  }
  return seen;
}

async function* drops(count: number): AsyncGenerator<{ serial: bigint; data: Uint8Array }> {
  for (let i = 0; i < count; i++) yield { serial: BigInt(i), data: bytes(i) };
}

const river: Impl = {
  async *flow({ count, bytes: size }) {
    for (let i = 0; i < count; i++) yield { serial: BigInt(i), data: bytes(size) };
  },
  async collect(requests) {
    let count = 0;
    let serials = 0n;
    for await (const { serial } of requests) {
      count++;
      serials += serial;
    }
    return { count, serials };
  },
  async *mirror(requests) {
    for await (const request of requests) yield request;
  },
  still: (request) => ({ ...request, text: `${request.text}!` }),
};

async function clientOf(
  carry: Carry,
  impl: Impl = river,
  options: Parameters<Carry>[1] = {},
): Promise<RiverClient> {
  return createClient(River, await carry((r) => void r.service(River, impl), options));
}

/** Never ends by itself. */
function untilAborted({ signal }: Pick<HandlerContext, "signal">): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

export const scenes: Readonly<Record<string, Scene>> = {
  "all four kinds": async (carry) => {
    const client = await clientOf(carry);
    const seen: unknown[] = [];
    seen.push(await client.still({ text: "é", serial: -1n, data: bytes(100_000) }));
    seen.push(await all(client.flow({ count: 50, bytes: 3000 }), (drop) => drop));
    seen.push(await client.collect(drops(100)));
    seen.push(await all(client.mirror(drops(20)), (drop) => drop));
    seen.push(await all(client.flow({ count: 0 }), (drop) => drop));
    seen.push(await client.collect(drops(0)));
    return seen;
  },

  "one request after each response": async (carry) => {
    const client = await clientOf(carry);
    const texts: string[] = [];
    const requests = (async function* () {
      for (const text of ["a", "b", "c"]) {
        yield { text };
        await until("the response is there", () => texts.includes(text));
      }
    })();
    for await (const { text } of client.mirror(requests)) texts.push(text);
    return texts;
  },

  "headers and trailers": async (carry) => {
    const seen: unknown[] = [];
    const sign = (context: HandlerContext): void => {
      seen.push(fields(context.requestHeader));
      context.responseHeader.set("x-head", "of the river");
      context.responseHeader.set("x-raw-bin", encodeBinaryHeader(bytes(5)));
      context.responseTrailer.append("x-tail", "one");
      context.responseTrailer.append("x-tail", "two");
      context.responseTrailer.set("x-end-bin", encodeBinaryHeader(bytes(9)));
    };
    const client = await clientOf(carry, {
      still: (request, context) => {
        sign(context);
        return request;
      },
      async *flow(_request, context) {
        sign(context);
        yield {};
      },
      async collect(requests, context) {
        sign(context);
        for await (const _ of requests);
        return {};
      },
      async *mirror(requests, context) {
        sign(context);
        yield* requests;
      },
    });
    const options = {
      headers: [
        ["x-sent", "1"],
        ["x-sent", "2"],
        ["x-sent-bin", encodeBinaryHeader(bytes(3))],
      ] as [string, string][],
      onHeader: (headers: Headers) => void seen.push(["header", ...fields(headers)]),
      onTrailer: (headers: Headers) => void seen.push(["trailer", ...fields(headers)]),
    };
    await client.still({}, options);
    await all(client.flow({}, options), () => seen.push("message"));
    await client.collect(drops(2), options);
    await all(client.mirror(drops(2), options), () => seen.push("message"));
    return seen;
  },

  "errors with details and metadata": async (carry) => {
    const fail = (context: HandlerContext, isFirst: boolean): never => {
      // Behind messages, some transports of connect-es leave headers out, others do not.
      if (isFirst) context.responseHeader.set("x-head", "early");
      context.responseTrailer.set("x-tail", "late");
      const info = { desc: ErrorInfoSchema, value: { reason: "DRY", domain: "river" } };
      const metadata = { "x-why": "summer", "x-why-bin": encodeBinaryHeader(bytes(4)) };
      throw new ConnectError("no wäter", Code.FailedPrecondition, metadata, [info]);
    };
    const client = await clientOf(carry, {
      still: (_request, context) => fail(context, true),
      async *flow({ count }, context) {
        for (let i = 0; i < count; i++) yield { serial: BigInt(i) };
        fail(context, count === 0);
      },
      collect: async (_requests, context) => fail(context, true),
      async *mirror(requests, context) {
        for await (const request of requests) yield request;
        fail(context, false);
      },
    });
    return [
      await failed(client.still({})),
      await all(client.flow({}), ({ serial }) => serial),
      await all(client.flow({ count: 3 }), ({ serial }) => serial),
      await failed(client.collect(drops(3))),
      await all(client.mirror(drops(3)), ({ serial }) => serial),
    ];
  },

  "each code": async (carry) => {
    const client = await clientOf(carry, {
      still: ({ serial }) => {
        throw new ConnectError(`code ${serial}`, Number(serial) as Code);
      },
    });
    const seen: unknown[] = [];
    for (let code = 1n; code <= 16n; code++)
      seen.push(await failed(client.still({ serial: code })));
    return seen;
  },

  "what is thrown besides": async (carry) => {
    const client = await clientOf(carry, {
      still: () => {
        throw new TypeError("a secret");
      },
      // biome-ignore lint/correctness/useYield: it fails before.
      flow: async function* () {
        throw "not even an error";
      },
      collect: () => Promise.reject(new Error("a secret")),
    });
    return [
      await failed(client.still({})),
      await all(client.flow({}), () => 0),
      await failed(client.collect(drops(1))),
      await all(client.mirror(drops(1)), () => 0),
    ];
  },

  "an error of another call, thrown again": async (carry) => {
    const inner = await clientOf(carry, {
      still: () => {
        const value = { reason: "DEEP", domain: "river" };
        const metadata = { "x-deep": "1" };
        throw new ConnectError("deep", Code.DataLoss, metadata, [{ desc: ErrorInfoSchema, value }]);
      },
    });
    const outer = await clientOf(carry, { still: (request) => inner.still(request) });
    return await failed(outer.still({}));
  },

  "cancelled by its caller": async (carry) => {
    const seen: string[] = [];
    const note = async (context: HandlerContext): Promise<never> => {
      seen.push("began");
      try {
        return await untilAborted(context);
      } catch (error) {
        // Whether it is an AbortError or the error of the call differs between transports of connect-es, too.
        seen.push(context.signal.reason === error ? "aborted" : String(error));
        throw error;
      }
    };
    const client = await clientOf(carry, {
      still: (_request, context) => note(context),
      async *flow(_request, context) {
        yield { serial: 1n };
        await note(context);
      },
      collect: (_requests, context) => note(context),
      async *mirror(_requests, context) {
        yield { serial: 1n };
        await note(context);
      },
    });
    const calls: ((signal: AbortSignal) => Promise<unknown>)[] = [
      (signal) => failed(client.still({}, { signal })),
      (signal) => all(client.flow({}, { signal }), ({ serial }) => serial),
      (signal) => failed(client.collect(drops(1), { signal })),
      (signal) => all(client.mirror(drops(1), { signal }), ({ serial }) => serial),
    ];
    for (const [reason, isDefault] of [
      [undefined, true],
      [new Error("enough"), false],
      [new ConnectError("too late", Code.DeadlineExceeded), false],
    ] as const) {
      for (const call of calls) {
        const controller = new AbortController();
        const before = seen.length;
        const outcome = call(controller.signal);
        await until("the handler runs", () => seen.length > before);
        if (isDefault) controller.abort();
        else controller.abort(reason);
        seen.push(
          JSON.stringify(await outcome, (_, value) =>
            typeof value === "bigint" ? Number(value) : value,
          ),
        );
        await until("the handler has ended", () => seen.slice(before).includes("aborted"));
      }
    }
    // The outcome and the end of the handler come in either order.
    return [...seen].sort();
  },

  "aborted before it began": async (carry) => {
    const client = await clientOf(carry);
    const signal = AbortSignal.abort();
    return [
      await failed(client.still({}, { signal })),
      await all(client.flow({ count: 1 }, { signal }), () => 0),
      await failed(client.collect(drops(1), { signal })),
      await all(client.mirror(drops(1), { signal }), () => 0),
    ];
  },

  "the deadline passes": async (carry) => {
    const left: (number | undefined)[] = [];
    const client = await clientOf(
      carry,
      {
        still: (_request, context) => {
          left.push(context.timeoutMs());
          return untilAborted(context);
        },
        async *flow(_request, context) {
          yield {};
          left.push(context.timeoutMs());
          await untilAborted(context);
        },
      },
      { defaultTimeoutMs: 200 },
    );
    const seen = [
      codeOf(await client.still({}, { timeoutMs: 100 }).catch((error) => error)),
      codeOf(await client.still({}).catch((error) => error)),
    ];
    const messages: unknown[] = [];
    try {
      for await (const _ of client.flow({}, { timeoutMs: 100 })) messages.push("message");
    } catch (error) {
      messages.push(codeOf(error));
    }
    const isPlausible = left.every((ms) => ms !== undefined && ms <= 200);
    return [seen, messages, isPlausible, left.length];
  },

  "no deadline": async (carry) => {
    const impl: Impl = { still: (_request, context) => ({ text: String(context.timeoutMs()) }) };
    const client = await clientOf(carry, impl, { defaultTimeoutMs: 60_000 });
    const without = await clientOf(carry, impl);
    return [
      (await without.still({})).text,
      (await client.still({}, { timeoutMs: 0 })).text,
      (await client.still({})).text !== "undefined",
    ];
  },

  "a longer deadline than the server allows": async (carry) => {
    const client = await clientOf(carry, river, { router: { maxTimeoutMs: 1000 } });
    const far = await client.still({}, { timeoutMs: 1e6 }).catch((error) => error);
    return [codeOf(far), (await client.still({ text: "x" }, { timeoutMs: 900 })).text];
  },

  "interceptors of clients": async (carry) => {
    const seen: string[] = [];
    const log =
      (name: string): Interceptor =>
      (next) =>
      async (req) => {
        seen.push(
          `${name} ${req.service.typeName} ${req.method.name} ${req.stream} ${req.requestMethod}`,
        );
        seen.push(new URL(req.url).pathname);
        req.header.set(`x-${name}`, "was here");
        const res = await next(req);
        seen.push(`${name} ${res.stream} ${fields(res.header)}`);
        return res;
      };
    const rewrite: Interceptor = (next) => async (req) => {
      if (!req.stream) {
        const message = { ...req.message, text: "rewritten" } as typeof req.message;
        return await next({ ...req, message } as typeof req);
      }
      const res = await next(req);
      if (!res.stream) return res;
      const { message } = res;
      const counted = (async function* () {
        for await (const each of message) {
          seen.push("passes");
          yield each;
        }
        seen.push(`trailer ${fields(res.trailer)}`);
      })();
      return { ...res, message: counted };
    };
    const client = await clientOf(
      carry,
      {
        still: (request, context) => {
          seen.push(`handler ${fields(context.requestHeader)}`);
          context.responseHeader.set("x-head", "1");
          return request;
        },
        async *mirror(requests, context) {
          context.responseTrailer.set("x-tail", "1");
          yield* requests;
        },
        flow: river.flow!,
        collect: river.collect!,
      },
      { interceptors: [log("first"), log("second"), rewrite] },
    );
    seen.push((await client.still({ text: "original" })).text);
    await all(client.mirror(drops(3)), () => 0);
    await all(client.flow({ count: 2 }), () => 0);
    seen.push(String((await client.collect(drops(3))).serials));
    return seen;
  },

  "interceptors that retry and that answer": async (carry) => {
    let attempts = 0;
    const retry: Interceptor = (next) => async (req) => {
      for (;;) {
        try {
          return await next(req);
        } catch (error) {
          if (codeOf(error) !== "Unavailable") throw error;
        }
      }
    };
    const refuse: Interceptor = () => async () => {
      throw new ConnectError("not today", Code.PermissionDenied, { "x-by": "interceptor" });
    };
    const impl: Impl = {
      still: () => {
        attempts++;
        if (attempts < 3) throw new ConnectError("not yet", Code.Unavailable);
        return { text: "at last" };
      },
    };
    const client = await clientOf(carry, impl, { interceptors: [retry] });
    const refused = await clientOf(carry, impl, { interceptors: [refuse] });
    return [(await client.still({})).text, attempts, await failed(refused.still({}))];
  },

  "interceptors of servers": async (carry) => {
    const seen: string[] = [];
    const key = createContextKey("nobody");
    const authenticate: Interceptor = (next) => async (req) => {
      const token = req.header.get("x-token");
      if (token === null) throw new ConnectError("who are you", Code.Unauthenticated);
      req.contextValues.set(key, token);
      seen.push(`${req.method.name} ${req.stream} ${new URL(req.url).pathname}`);
      const res = await next(req);
      res.header.set("x-seen", "yes");
      res.trailer.set("x-done", "yes");
      return res;
    };
    const replace: Interceptor = (next) => async (req) => {
      if (req.stream) return await next({ ...req, header: new Headers({ "x-new": "1" }) });
      const res = await next(req);
      if (res.stream) return res;
      return { ...res, message: { ...res.message, text: "replaced" } as typeof res.message };
    };
    const who = ({ values, requestHeader }: HandlerContext): void => {
      seen.push(`${values.get(key)} ${fields(requestHeader)}`);
    };
    const client = await clientOf(
      carry,
      {
        still: (request, context) => {
          who(context);
          return request;
        },
        async *flow({ count }, context) {
          who(context);
          for (let i = 0; i < count; i++) yield { serial: BigInt(i) };
        },
        async collect(requests, context) {
          who(context);
          return await river.collect!(requests, context);
        },
        async *mirror(requests, context) {
          who(context);
          yield* requests;
        },
      },
      { router: { interceptors: [authenticate, replace] } },
    );
    const options = {
      headers: { "x-token": "ada" },
      onHeader: (headers: Headers) => void seen.push(`header ${fields(headers)}`),
      onTrailer: (headers: Headers) => void seen.push(`trailer ${fields(headers)}`),
    };
    seen.push((await client.still({ text: "x" }, options)).text);
    await all(client.flow({ count: 2 }, options), ({ serial }) => seen.push(`${serial}`));
    seen.push(String((await client.collect(drops(3), options)).count));
    await all(client.mirror(drops(2), options), ({ serial }) => seen.push(`${serial}`));
    return [
      seen,
      await failed(client.still({})),
      await all(client.flow({}), () => 0),
      await failed(client.collect(drops(1))),
      await all(client.mirror(drops(1)), () => 0),
    ];
  },

  "context values of a call": async (carry) => {
    const key = createContextKey(0);
    const read: Interceptor = (next) => (req) => {
      req.header.set("x-value", String(req.contextValues.get(key)));
      return next(req);
    };
    const client = await clientOf(
      carry,
      { still: (_request, { requestHeader }) => ({ text: requestHeader.get("x-value") ?? "" }) },
      { interceptors: [read] },
    );
    const contextValues = createContextValues().set(key, 5);
    return [(await client.still({}, { contextValues })).text, (await client.still({})).text];
  },

  "the context of a handler": async (carry) => {
    const contexts: HandlerContext[] = [];
    const client = await clientOf(carry, {
      still: (request, context) => {
        contexts.push(context);
        return { text: `${context.signal.aborted}`, serial: request.serial };
      },
      async *flow(_request, context) {
        contexts.push(context);
        yield { text: `${context.signal.aborted}` };
      },
    });
    const seen: unknown[] = [(await client.still({})).text];
    seen.push(await all(client.flow({}), ({ text }) => text));
    // It is aborted when the call is over, also when nothing went wrong.
    await until("the signals are aborted", () => contexts.every(({ signal }) => signal.aborted));
    const [context] = contexts;
    seen.push(context?.method.name, context?.service.typeName, context?.requestMethod);
    seen.push(new URL(context!.url).pathname);
    const { timeoutMs } = context!;
    seen.push(timeoutMs());
    return seen;
  },

  "a server that shuts down": async (carry) => {
    const controller = new AbortController();
    const seen: string[] = [];
    const client = await clientOf(
      carry,
      {
        still: (_request, context) => {
          seen.push("began");
          return untilAborted(context);
        },
      },
      { router: { shutdownSignal: controller.signal } },
    );
    const outcome = failed(client.still({}));
    await until("the handler runs", () => seen.length === 1);
    controller.abort(new ConnectError("closing", Code.Unavailable));
    return await outcome;
  },

  "methods alone, and the last one counts": async (carry) => {
    const transport = await carry((r) => {
      r.service(River, { still: () => ({ text: "first" }), flow: river.flow! })
        .rpc(River.method.still, () => ({ text: "second" }))
        .rpc(River.method.collect, river.collect!, {
          interceptors: [
            (next) => async (req) => {
              const res = await next(req);
              res.header.set("x-own", "1");
              return res;
            },
          ],
        });
    });
    const client = createClient(River, transport);
    let header: string[] = [];
    const onHeader = (headers: Headers): void => {
      header = fields(headers);
    };
    return [
      (await client.still({})).text,
      await all(client.flow({ count: 2 }), ({ serial }) => serial),
      (await client.collect(drops(4), { onHeader })).count,
      header,
    ];
  },

  "a handler that has enough": async (carry) => {
    let isEnded = false;
    const client = await clientOf(carry, {
      async collect(requests) {
        let count = 0;
        for await (const _ of requests) if (++count === 3) break;
        return { count };
      },
    });
    const endless = (async function* () {
      try {
        for (let serial = 0n; ; serial++) {
          yield { serial };
          // Gives the other side its turn.
          await setTimeout(1);
        }
      } finally {
        isEnded = true;
      }
    })();
    const { count } = await client.collect(endless);
    await until("the requests have ended", () => isEnded);
    return count;
  },

  "requests that fail": async (carry) => {
    const client = await clientOf(carry);
    const broken = async function* (): AsyncGenerator<{ serial: bigint }> {
      yield { serial: 1n };
      throw new ConnectError("out of drops", Code.ResourceExhausted);
    };
    const error = await client.collect(broken()).catch((reason: unknown) => reason);
    return codeOf(error);
  },
};
