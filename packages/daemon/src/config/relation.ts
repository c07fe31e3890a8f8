/**
 * What must hold between two values of `koala.toml`. A relation is looked at when both of its values
 * are fine in themselves, whatever else is wrong with the file.
 */
import { type Address, formatAddress } from "./address.ts";
import { formatDuration } from "./duration.ts";
import type { Place, Problem, RelatedPlace } from "./problem.ts";
import { defaultPolicyName, keyType } from "./schema.ts";
import { formatSize } from "./size.ts";
import { findNode, type TomlNode } from "./toml-positions.ts";

type KeyPath = readonly [section: string, key: string];

/** `larger` must be at least `factor` times `smaller`. */
interface Relation {
  readonly larger: KeyPath;
  readonly smaller: KeyPath;
  readonly factor: number;
  readonly format: (value: number) => string;
  /** Why, as the end of a sentence. */
  readonly reason: string;
}

const formatMs = (ms: number): string => formatDuration(ms * 1000);

const relations: readonly Relation[] = [
  {
    larger: ["limits", "ring_slots"],
    smaller: ["limits", "calls_per_app"],
    factor: 2,
    format: String,
    reason: "a call may need a slot for itself and one for its cancellation",
  },
  {
    larger: ["limits", "send_heap"],
    smaller: ["limits", "message"],
    factor: 1,
    format: formatSize,
    reason: "the largest message must fit into the heap",
  },
  {
    larger: ["limits", "receive_heap"],
    smaller: ["limits", "message"],
    factor: 1,
    format: formatSize,
    reason: "the largest message must fit into the heap",
  },
  {
    larger: ["limits", "send_heap"],
    smaller: ["limits", "heap_region"],
    factor: 1,
    format: formatSize,
    reason: "the first region is a part of the heap",
  },
  {
    larger: ["limits", "receive_heap"],
    smaller: ["limits", "heap_region"],
    factor: 1,
    format: formatSize,
    reason: "the first region is a part of the heap",
  },
  {
    larger: ["limits", "link_window"],
    smaller: ["limits", "stream_window"],
    factor: 1,
    format: formatSize,
    reason: "a stream's window is a part of its link's",
  },
  {
    larger: ["limits", "stream_window"],
    smaller: ["link", "frame"],
    factor: 1,
    format: formatSize,
    reason: "a frame that exceeds the window could never be sent",
  },
  {
    larger: ["link", "reconnect_max"],
    smaller: ["link", "reconnect_min"],
    factor: 1,
    format: formatMs,
    reason: "the pause grows from one to the other",
  },
];

/** The document under check: its values, and where they stand. */
export interface Document {
  /** File name as the user gave it. */
  readonly source: string;
  readonly text: string;
  /** What the TOML parser made of it. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly root: TomlNode;
}

/** The problems between values. */
export function findRelationProblems(document: Document): Problem[] {
  const problems: Problem[] = [];
  for (const relation of relations) {
    const problem = checkRelation(document, relation);
    if (problem !== undefined) problems.push(problem);
  }
  problems.push(...findPeerProblems(document), ...findPolicyProblems(document));
  problems.push(...findPlacementProblems(document));
  return problems;
}

function checkRelation(document: Document, relation: Relation): Problem | undefined {
  const larger = readValue(document, relation.larger);
  const smaller = readValue(document, relation.smaller);
  if (larger === undefined || smaller === undefined) return undefined;
  const least = smaller * relation.factor;
  if (larger >= least) return undefined;

  const { format, reason } = relation;
  const times = relation.factor === 1 ? "" : ` ${relation.factor} times`;
  const leastText = relation.factor === 1 ? "" : `, so at least ${format(least)}`;
  const largerPlace = placeOf(document, relation.larger);
  const smallerPlace = placeOf(document, relation.smaller);
  const rule = `${nameOf(relation.larger)} must be at least${times} ${nameOf(relation.smaller)}${leastText}: ${reason}`;
  const message = `${rule}. Found ${format(larger)}${byDefault(largerPlace)} and ${format(smaller)}${byDefault(smallerPlace)}.`;

  // The first is where the eye goes, the second, if it is in the file too, is shown below.
  const place = largerPlace ?? smallerPlace ?? wholeFile(document);
  const related: RelatedPlace[] = [];
  if (largerPlace !== undefined && smallerPlace !== undefined) {
    related.push({ place: smallerPlace, message: `${nameOf(relation.smaller)} is set here.` });
  }
  return { place, message, related };
}

/** Peers: no address twice, and not more of them than links. */
function findPeerProblems(document: Document): Problem[] {
  const peers = document.values["peer"];
  if (!Array.isArray(peers)) return [];
  const problems: Problem[] = [];
  const firstIndex = new Map<string, number>();
  for (const [index, peer] of peers.entries()) {
    const address = readField("peer", "address", (peer as { address?: unknown } | null)?.address);
    if (address === undefined) continue;
    const text = formatAddress(address as Address).toLowerCase();
    const first = firstIndex.get(text);
    if (first === undefined) {
      firstIndex.set(text, index);
      continue;
    }
    problems.push({
      place: placeOf(document, ["peer", index, "address"]) ?? wholeFile(document),
      message: `two peers have the address "${text}". Remove one of them.`,
      related: [
        {
          place: placeOf(document, ["peer", first, "address"]) ?? wholeFile(document),
          message: "the first is here.",
        },
      ],
    });
  }

  const linksPath: KeyPath = ["limits", "links"];
  const links = readValue(document, linksPath);
  if (links !== undefined && peers.length > links) {
    const place = placeOf(document, linksPath);
    const surplus = placeOf(document, ["peer", links]) ?? wholeFile(document);
    problems.push({
      place: surplus,
      message: `there are ${peers.length} peers, but links in [limits] allows ${links}${byDefault(place)}. Raise links or remove peers.`,
      related: place === undefined ? [] : [{ place, message: "links in [limits] is set here." }],
    });
  }
  return problems;
}

/** Policies: each has a name, and no name twice. */
function findPolicyProblems(document: Document): Problem[] {
  const policies = document.values["policy"];
  if (!Array.isArray(policies)) return [];
  const problems: Problem[] = [];
  const firstIndex = new Map<string, number>();
  for (const [index, policy] of policies.entries()) {
    const { name, use } = (policy ?? {}) as { name?: unknown; use?: unknown };
    const given = typeof name === "string";
    if (!given && typeof use !== "string") continue;
    const text = given ? name : defaultPolicyName(use as string);
    const place = (at: number): Place =>
      placeOf(document, ["policy", at, "name"]) ??
      placeOf(document, ["policy", at, "use"]) ??
      wholeFile(document);
    if (readField("policy", "name", text) === undefined) {
      if (given) continue; // a problem of its own
      const message = `this policy needs a name of its own, for "${text}" can't be one. Add name = "…".`;
      problems.push({ place: place(index), message, related: [] });
      continue;
    }
    const first = firstIndex.get(text);
    if (first === undefined) {
      firstIndex.set(text, index);
      continue;
    }
    problems.push({
      place: place(index),
      message: `two policies have the name "${text}". Give one of them another name.`,
      related: [{ place: place(first), message: "the first is here." }],
    });
  }
  return problems;
}

/** Placements: only on runtimes that are there from the start. */
function findPlacementProblems(document: Document): Problem[] {
  const placements = document.values["placement"];
  const runtimesPath: KeyPath = ["daemon", "runtimes"];
  const runtimes = readValue(document, runtimesPath);
  if (!Array.isArray(placements) || runtimes === undefined) return [];
  const problems: Problem[] = [];
  for (const [index, placement] of placements.entries()) {
    const given = (placement as { runtime?: unknown } | null)?.runtime;
    const runtime = readField("placement", "runtime", given);
    if (typeof runtime !== "number" || runtime < runtimes) continue;
    const place = placeOf(document, runtimesPath);
    problems.push({
      place: placeOf(document, ["placement", index, "runtime"]) ?? wholeFile(document),
      message: `there is no runtime ${runtime}: runtimes in [daemon] is ${runtimes}${byDefault(place)}, and they count from 0.`,
      related: place === undefined ? [] : [{ place, message: "runtimes in [daemon] is set here." }],
    });
  }
  return problems;
}

/** The value of a key, by default or from the file; undefined when it is a problem of its own. */
function readValue(document: Document, [section, key]: KeyPath): number | undefined {
  const table = document.values[section];
  const given = table === undefined ? {} : table;
  if (typeof given !== "object" || given === null) return undefined;
  return readField(section, key, (given as Record<string, unknown>)[key]) as number | undefined;
}

function readField(section: string, key: string, value: unknown): unknown {
  const result = keyType(section, key)?.safeParse(value);
  return result?.success ? result.data : undefined;
}

function placeOf(document: Document, path: readonly PropertyKey[]): Place | undefined {
  const node = findNode(document.root, path);
  return node && { source: document.source, text: document.text, range: node.value };
}

function wholeFile(document: Document): Place {
  return { source: document.source, text: document.text, range: null };
}

function nameOf([section, key]: KeyPath): string {
  return `${key} in [${section}]`;
}

function byDefault(place: Place | undefined): string {
  return place === undefined ? " (the default)" : "";
}
