/** Interceptors of both sides and what they tell each other: scenes of connect-es. */
import {
  Code,
  ConnectError,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import {
  all,
  clientOf,
  codeOf,
  drops,
  failed,
  fields,
  type Impl,
  river,
  type Scene,
} from "./connect-scene.ts";

export const interceptorScenes: Readonly<Record<string, Scene>> = {
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
};
