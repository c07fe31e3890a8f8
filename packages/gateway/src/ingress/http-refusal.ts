/** A request that is no call at all; answered in HTTP's own words. */
import type { Exchange } from "../http/exchange.ts";

export class HttpRefusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, text: string, headers: Readonly<Record<string, string>>) {
    super(text);
    this.name = "HttpRefusal";
    this.status = status;
    this.headers = headers;
  }
}

/** Sends it. */
export function refuse(exchange: Exchange, { status, message, headers }: HttpRefusal): void {
  exchange.respond(status, { ...headers, "content-type": "text/plain; charset=utf-8" });
  exchange.write(Buffer.from(`${message}\n`));
  exchange.end();
}
