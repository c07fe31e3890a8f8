/** What calls carry: scenes of connect-es. */
import { setTimeout } from "node:timers/promises";
import { encodeBinaryHeader, type HandlerContext } from "@connectrpc/connect";
import { until } from "@koala/testing";
import { all, bytes, clientOf, drops, fields, type Scene } from "./connect-scene.ts";

export const callScenes: Readonly<Record<string, Scene>> = {
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
};
