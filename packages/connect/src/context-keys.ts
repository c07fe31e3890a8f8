/** What this package puts into the context values of calls. */
import {
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { HandlerContext as KoalaContext } from "@koala/mrpc";

/** In `context.values` of a handler: what Koala knows about the call; undefined when another server runs it. */
export const koalaContext: ContextKey<KoalaContext | undefined> = createContextKey<
  KoalaContext | undefined
>(undefined, { description: "koala context" });

/** In `contextValues` of a call: the call on whose behalf it is made. */
export const parentKey: ContextKey<KoalaContext | undefined> = createContextKey<
  KoalaContext | undefined
>(undefined, { description: "koala parent" });

/**
 * Values for a call that a handler makes for the one it serves, `{ contextValues: onBehalfOf(context) }`: it has at
 * most the time that is left of that one, ends when that one is cancelled, and belongs to the same trace. `values`:
 * others that go along. Changes nothing for handlers that another server runs.
 */
export function onBehalfOf(
  context: Pick<HandlerContext, "values">,
  values: ContextValues = createContextValues(),
): ContextValues {
  return values.set(parentKey, context.values.get(koalaContext));
}
