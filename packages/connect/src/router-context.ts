/** The context of a handler of a router: made of Koala's when somebody asks for it. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { HandlerContext as KoalaContext } from "@koala/mrpc";
import { connectErrorFrom } from "./connect-errors.ts";
import { koalaContext } from "./context-keys.ts";

/** What the calls of a method share. */
export interface MethodFacts {
  readonly method: DescMethod;
  readonly url: string;
  readonly shutdownSignal: AbortSignal | undefined;
  /** The first values of a call. */
  readonly contextValues: ((context: KoalaContext) => ContextValues) | undefined;
}

/** Why signals of calls that went well are aborted. To make one a call costs more than the call. */
const ended = new DOMException("The call is over.", "AbortError");

export class RouterContext implements HandlerContext {
  private readonly koala: KoalaContext;
  private readonly facts: MethodFacts;
  private controller: AbortController | null = null;
  private ownValues: ContextValues | null = null;
  private stopListening: (() => void) | null = null;
  private isOver = false;

  constructor(facts: MethodFacts, koala: KoalaContext) {
    this.facts = facts;
    this.koala = koala;
  }

  get method(): DescMethod {
    return this.facts.method;
  }

  get service(): DescService {
    return this.facts.method.parent;
  }

  get url(): string {
    return this.facts.url;
  }

  get protocolName(): string {
    return "koala";
  }

  get requestMethod(): string {
    return "POST";
  }

  get requestHeader(): Headers {
    return this.koala.requestHeader;
  }

  get responseHeader(): Headers {
    return this.koala.responseHeader;
  }

  get responseTrailer(): Headers {
    return this.koala.responseTrailer;
  }

  /** A function that needs no `this`. Whole milliseconds, as protocols want them that a handler passes them on to. */
  get timeoutMs(): () => number | undefined {
    return () => {
      const { timeoutMs } = this.koala;
      return timeoutMs === undefined ? undefined : Math.ceil(timeoutMs);
    };
  }

  get values(): ContextValues {
    if (this.ownValues === null) {
      const values = this.facts.contextValues?.(this.koala) ?? createContextValues();
      this.ownValues = values.set(koalaContext, this.koala);
    }
    return this.ownValues;
  }

  /** Aborted when the call ends in whatever way, also when it succeeds: so says connect-es. */
  get signal(): AbortSignal {
    this.controller ??= this.openController();
    return this.controller.signal;
  }

  /** The handler has ended, or its result has been read. */
  end(reason: unknown = ended): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopListening?.();
    this.controller?.abort(reason);
  }

  /** All of it as an object of its own, which interceptors and what is behind them copy. */
  plain(): HandlerContext {
    const { method, service, url, protocolName, requestMethod, timeoutMs, signal, values } = this;
    const { requestHeader, responseHeader, responseTrailer } = this;
    return {
      method,
      service,
      url,
      protocolName,
      requestMethod,
      timeoutMs,
      signal,
      values,
      requestHeader,
      responseHeader,
      responseTrailer,
    };
  }

  private openController(): AbortController {
    const controller = new AbortController();
    if (this.isOver) {
      controller.abort(ended);
      return controller;
    }
    const { signal } = this.koala;
    const { shutdownSignal } = this.facts;
    const onEnd = (): void => controller.abort(connectErrorFrom(signal.reason));
    const onShutdown = (): void => controller.abort(shutdownSignal?.reason);
    this.stopListening = () => shutdownSignal?.removeEventListener("abort", onShutdown);
    if (signal.aborted) onEnd();
    else signal.addEventListener("abort", onEnd, { once: true });
    if (shutdownSignal?.aborted === true) onShutdown();
    else shutdownSignal?.addEventListener("abort", onShutdown, { once: true });
    return controller;
  }
}
