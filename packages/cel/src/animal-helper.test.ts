/** An animal that expressions of tests are about, and what another implementation of CEL says of it. */
import { isCelError, isCelList, isCelMap, isCelUint, run } from "@bufbuild/cel";
import { create, createRegistry } from "@bufbuild/protobuf";
import { type Compiled, compileExpression } from "./compile.ts";
import type { Environment } from "./environment.ts";
import { Failure } from "./failure.ts";
import { FossilSchema, file_zoo_v1_old_zoo } from "./gen/zoo/v1/old_zoo_pb.ts";
import { AnimalSchema, Diet, file_zoo_v1_zoo, TrapsSchema } from "./gen/zoo/v1/zoo_pb.ts";
import { isProblems } from "./index.ts";
import {
  intType,
  type Lookup,
  lookupType,
  mapType,
  messageType,
  recordType,
  stringType,
} from "./type.ts";

const animal = create(AnimalSchema, {
  name: "Zoë 🦒",
  age: 7,
  tag: 9007199254740993n,
  legs: 4,
  steps: 18446744073709551615n,
  weight: 812.5,
  height: 4.5,
  tame: true,
  dna: Uint8Array.of(1, 2, 255),
  diet: Diet.PLANTS,
  sex: 1,
  chipNumber: "9007199254740993",
  mother: { name: "Mo", age: 21, foods: ["hay"] },
  nickname: "",
  foods: ["leaves", "hay", "apples"],
  scores: [3, -1, 0, 12],
  tags: [1n, 9007199254740993n, -5n],
  children: [{ name: "a", age: 1 }, { name: "b", age: 2, foods: ["milk"] }, { name: "c" }],
  weights: [1.5, Number.NaN, -0],
  chips: ["12", "-3"],
  diets: [Diet.MEAT, Diet.PLANTS],
  labels: { color: "brown", "x-y": "1", __proto__x: "" },
  rooms: { 1: "hall", [-2]: "cellar" },
  visits: { "9007199254740993": 4n, "2": 5n },
  answers: { true: "yes" },
  friends: { ed: { name: "Ed", age: 30 } },
  home: { case: "pen", value: 12n },
  born: { seconds: 1_700_000_000n, nanos: 5 },
  gestation: { seconds: 39_000_000n },
  maybeText: "text",
  maybeNumber: 5n,
});

const fossil = create(FossilSchema, { years: 65_000_000n, complete: false });
const traps = create(TrapsSchema, {
  constructor$: "c",
  toString$: "t",
  hasOwnProperty: { a: "b" },
});

const headers: Record<string, string> = { "x-team": "geo", empty: "" };
const metadata: Lookup = {
  get: (key) => (Object.hasOwn(headers, key) ? headers[key] : undefined),
  keys: () => Object.keys(headers),
};

export const environment: Environment = {
  variables: {
    a: messageType(AnimalSchema),
    fossil: messageType(FossilSchema),
    traps: messageType(TrapsSchema),
    caller: recordType("caller", { app: stringType, uid: intType, labels: mapType(stringType) }),
    metadata: lookupType,
  },
  container: "zoo.v1",
};

export const variables: Record<string, unknown> = {
  a: animal,
  fossil,
  traps,
  caller: { app: "web", uid: 1000, labels: { zone: "eu" } },
  metadata,
};

/** The compiled form of an expression that has no problems. */
export function compiled(text: string): Compiled {
  const result = compileExpression(text, environment);
  if (isProblems(result)) {
    throw new Error(`${text}: ${result[0]?.column} ${result[0]?.message}`);
  }
  return result;
}

/** The value with integers as bigints, or "failure". */
export function evaluated(text: string): unknown {
  return plain(compiled(text).evaluate(variables), compiled(text).type.kind);
}

function plain(value: unknown, kind: string): unknown {
  if (value instanceof Failure) return "failure";
  if (kind === "int" || kind === "uint") return BigInt(value as number | bigint);
  return value;
}

const registry = createRegistry(file_zoo_v1_zoo, file_zoo_v1_old_zoo);
const bindings = {
  a: animal,
  fossil,
  traps,
  caller: new Map<string, unknown>([
    ["app", "web"],
    ["uid", 1000n],
    ["labels", new Map([["zone", "eu"]])],
  ]),
  metadata: new Map(Object.entries(headers)),
};

/** What @bufbuild/cel says, in the same form. */
export function oracle(text: string): unknown {
  const result = run(text, bindings as never, { registry, namespace: "zoo.v1" });
  if (isCelError(result)) return "failure";
  if (isCelUint(result)) return result.value;
  if (isCelList(result) || isCelMap(result)) return "collection";
  return result;
}
