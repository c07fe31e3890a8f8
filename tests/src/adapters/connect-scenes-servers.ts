/** What handlers and routers have: scenes of connect-es. */
import { Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { until } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import {
  all,
  clientOf,
  codeOf,
  drops,
  failed,
  fields,
  river,
  type Scene,
  untilAborted,
} from "./connect-scene.ts";

export const serverScenes: Readonly<Record<string, Scene>> = {
  "a longer deadline than the server allows": async (carry) => {
    const client = await clientOf(carry, river, { router: { maxTimeoutMs: 1000 } });
    const far = await client.still({}, { timeoutMs: 1e6 }).catch((error) => error);
    return [codeOf(far), (await client.still({ text: "x" }, { timeoutMs: 900 })).text];
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
};
