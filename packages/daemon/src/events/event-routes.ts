/** `GET /v1/events`: what has happened, and with `follow=1` what happens. */
import { type EventsAnswer, type EventTopic, eventBusHeader, eventTopics } from "@koala/protocol";
import { AdminRefused, type AdminRegistry } from "../control/admin-registry.ts";
import type { AdminStream } from "../control/admin-stream.ts";
import type { EventBus, EventFilter, Subscription } from "./event-bus.ts";

/** Readers that may follow at a time. */
const followersMax = 32;

/** Adds the route. */
export function addEventRoutes(registry: AdminRegistry, bus: EventBus): void {
  let followers = 0;
  registry.add({
    method: "GET",
    path: "/v1/events",
    query: ["follow", "topic", "since", "bus", "last"],
    handle: ({ query }) => {
      const filter = filterOf(query, bus.id);
      if (!isFollowing(query)) {
        const answer: EventsAnswer = {
          bus: bus.id,
          events: bus.history(filter),
          dropped: bus.lostSince(filter.since ?? 0),
        };
        return answer;
      }
      if (followers >= followersMax) {
        const text = `${followersMax} readers follow the events, which is the limit; end one of them`;
        throw new AdminRefused(503, "ERR_ADMIN_BUSY", text);
      }
      followers++;
      return streamOf(bus, filter, () => followers--);
    },
  });
}

function streamOf(bus: EventBus, filter: EventFilter, onClose: () => void): AdminStream {
  let subscription: Subscription | undefined;
  return {
    headers: { [eventBusHeader]: bus.id },
    start: (wake) => {
      subscription = bus.subscribe(filter, wake);
    },
    nextLine: () => subscription?.take(),
    close: () => {
      subscription?.close();
      onClose();
    },
  };
}

function isFollowing(query: URLSearchParams): boolean {
  const text = query.get("follow") ?? "0";
  if (text === "0" || text === "1") return text === "1";
  throw new AdminRefused(400, "ERR_ADMIN_QUERY", `follow=${text}: expected 0 or 1`);
}

function filterOf(query: URLSearchParams, id: string): EventFilter {
  const topics = query
    .getAll("topic")
    .flatMap((text) => text.split(","))
    .filter((text) => text !== "")
    .map(topicOf);
  // A number of another sequence says nothing here: that reader gets all there is.
  const isSame = (query.get("bus") ?? id) === id;
  const since = numberOf(query, "since");
  return {
    topics: topics.length === 0 ? undefined : topics,
    since: isSame ? since : undefined,
    last: numberOf(query, "last"),
  };
}

function topicOf(text: string): EventTopic {
  const topic = eventTopics.find((known) => known === text);
  if (topic !== undefined) return topic;
  const message = `there is no topic ${JSON.stringify(text)}; there are: ${eventTopics.join(", ")}`;
  throw new AdminRefused(400, "ERR_ADMIN_QUERY", message);
}

function numberOf(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AdminRefused(400, "ERR_ADMIN_QUERY", `${key}=${text}: expected a whole number`);
}
