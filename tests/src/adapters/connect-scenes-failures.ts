/** How calls fail and end early: scenes of connect-es. */
import { Code, ConnectError, encodeBinaryHeader, type HandlerContext } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@koala/mrpc/google-rpc";
import { until } from "@koala/testing";
import {
  all,
  bytes,
  clientOf,
  codeOf,
  drops,
  failed,
  type Impl,
  type Scene,
  untilAborted,
} from "./connect-scene.ts";

export const failureScenes: Readonly<Record<string, Scene>> = {
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
    let came = 0;
    const take = ({ serial }: { serial: bigint }): number => {
      came++;
      return Number(serial);
    };
    const calls: [messages: number, call: (signal: AbortSignal) => Promise<unknown>][] = [
      [0, (signal) => failed(client.still({}, { signal }))],
      [1, (signal) => all(client.flow({}, { signal }), take)],
      [0, (signal) => failed(client.collect(drops(1), { signal }))],
      [1, (signal) => all(client.mirror(drops(1), { signal }), take)],
    ];
    for (const [reason, isDefault] of [
      [undefined, true],
      [new Error("enough"), false],
      [new ConnectError("too late", Code.DeadlineExceeded), false],
    ] as const) {
      for (const [messages, call] of calls) {
        const controller = new AbortController();
        const before = seen.length;
        came = 0;
        const outcome = call(controller.signal);
        await until("the handler runs", () => seen.length > before && came === messages);
        if (isDefault) controller.abort();
        else controller.abort(reason);
        seen.push(JSON.stringify(await outcome));
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
    try {
      for await (const _ of client.flow({}, { timeoutMs: 100 }));
    } catch (error) {
      seen.push(codeOf(error));
    }
    return [seen, left.every((ms) => ms !== undefined && ms <= 200)];
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
