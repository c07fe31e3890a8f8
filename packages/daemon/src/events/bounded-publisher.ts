/** For events of the main thread that others can cause as often as they like. */
import type { EventBus } from "./event-bus.ts";
import { type EmitEvent, EventSource } from "./event-source.ts";

/** Publishes within the allowance that a runtime has. */
export function createBoundedPublisher(bus: EventBus): EmitEvent {
  const source = new EventSource({
    runtime: undefined,
    post: ({ topic, name, fields, timeMs }) => bus.publish(topic, name, fields, timeMs),
    nowMs: () => performance.now(),
    reportLater: (afterMs) => void setTimeout(() => source.report(), afterMs).unref(),
  });
  return source.emit;
}
