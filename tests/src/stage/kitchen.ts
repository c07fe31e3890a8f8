/** The kitchen of the tests: its servers and clients as processes, and clients in the test's own process. */
import { after, before, describe } from "node:test";
import type { Client, ConnectOptions, Mesh } from "@koala/mrpc";
import { connect } from "@koala/mrpc";
import { type Child, type Ending, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import type { ClientCommand, ClientError } from "../programs/kitchen-client.ts";
import { atEnd, type Daemon, startApp, startCluster, startDaemon } from "./cluster.ts";

/** Beyond this a suite hangs: a call without a deadline has lost its reply. */
const suiteTimeoutMs = 120_000;

/** What a kitchen client says to a command. */
export interface ClientAnswer {
  id: number;
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of any of the kitchen's replies
  reply?: any;
  error?: ClientError;
  /** Of a load: calls by `pid/thread` of who served them. */
  pids?: Record<string, number>;
  errors?: ClientError[];
}

/** How a process of the kitchen is started. */
export interface ProcessOptions {
  /** The mesh name that is served or called. */
  name?: string;
  args?: readonly string[];
  /** As many worker threads, each with its own connection; 0: the main thread alone. */
  threads?: number;
}

/** A process that calls the kitchen. */
export interface KitchenClient {
  readonly child: Child;
  /** Sends a command; resolves with what comes back, from the thread that answers first. */
  ask(command: ClientCommand): Promise<ClientAnswer>;
  /** The same, from all threads. */
  askThreads(command: ClientCommand, threads: number): Promise<ClientAnswer[]>;
}

/** Starts a process that serves the kitchen and waits until it does. */
export async function startKitchen(
  test: Ending,
  daemon: Pick<Daemon, "prefix">,
  { name = "kitchen", args = [], threads = 0 }: ProcessOptions = {},
): Promise<Child> {
  const all = threads === 0 ? args : [...args, "--threads", String(threads)];
  const child = startApp(test, daemon, "kitchen-server", [name, ...all]);
  for (let index = 0; index < Math.max(threads, 1); index++) await child.line(/^serving$/);
  return child;
}

/** Starts a process that calls the kitchen; resolves when it is connected, unless told not to wait. */
export async function startClient(
  test: Ending,
  daemon: Pick<Daemon, "prefix">,
  {
    name = "kitchen",
    args = [],
    threads = 0,
    whenConnected = true,
  }: ProcessOptions & { whenConnected?: boolean } = {},
): Promise<KitchenClient> {
  const all = threads === 0 ? args : [...args, "--threads", String(threads)];
  const child = startApp(test, daemon, "kitchen-client", [name, ...all]);
  const count = Math.max(threads, 1);
  if (whenConnected) for (let index = 0; index < count; index++) await child.line(/^connected$/);
  let lastId = 0;
  const answersTo = (id: number): ClientAnswer[] =>
    child
      .output()
      .split("\n")
      .filter((line) => line.startsWith(`{"id":${id},`))
      .map((line) => JSON.parse(line));
  const askThreads = async (command: ClientCommand, expected: number): Promise<ClientAnswer[]> => {
    const id = ++lastId;
    child.write(JSON.stringify({ ...command, id }));
    await until(`answers to ${JSON.stringify(command)}`, () => answersTo(id).length >= expected);
    return answersTo(id);
  };
  return { child, askThreads, ask: async (command) => (await askThreads(command, 1))[0]! };
}

/** Connects this process. */
export async function connectTo(
  test: Ending,
  daemon: Pick<Daemon, "prefix">,
  options: ConnectOptions = {},
): Promise<Mesh> {
  const mesh = await connect({ prefix: daemon.prefix, name: "test", ...options });
  atEnd(test, () => mesh.close({ graceMs: 0 }));
  return mesh;
}

/** Where the client and the server of a test are: on two hosts, or on the same. */
export interface Topology {
  readonly client: Daemon;
  readonly server: Daemon;
}

/** What the tests of a suite share. */
export interface Stage extends Topology {
  readonly ending: Ending;
  /** The process that serves `kitchen`. */
  readonly child: Child;
  readonly mesh: Mesh;
  readonly kitchen: Client<typeof Kitchen>;
}

/** Something that ends with the suite that is being described. */
export function endWithSuite(): Ending {
  const actions: (() => void | Promise<void>)[] = [];
  after(async () => {
    for (const action of actions) await action();
  });
  return { after: (action) => void actions.push(action) };
}

/**
 * Describes a suite twice, over TCP between two daemons and within one, each with its own daemons and a
 * kitchen that serves. `tests` gets a function, because the stage is there only while tests run.
 */
export function describeKitchen(
  title: string,
  tests: (stage: () => Stage) => void,
  options: { config?: string; args?: readonly string[] } = {},
): void {
  for (const hosts of [2, 1]) {
    describe(`${title}, ${hosts === 2 ? "two daemons" : "one daemon"}`, {
      timeout: suiteTimeoutMs,
    }, () => {
      const ending = endWithSuite();
      let stage: Stage | undefined;
      before(async () => {
        const { client, server } = await startTopology(ending, hosts, options.config);
        const child = await startKitchen(ending, server, { args: options.args ?? [] });
        const mesh = await connectTo(ending, client);
        const kitchen = mesh.client(Kitchen, "kitchen");
        stage = { ending, client, server, child, mesh, kitchen };
      });
      tests(() => stage!);
    });
  }
}

/** One daemon for both, or two. */
export async function startTopology(
  test: Ending,
  hosts: number,
  config: string = "",
): Promise<Topology> {
  if (hosts === 1) {
    const daemon = await startDaemon(test, { config });
    return { client: daemon, server: daemon };
  }
  const { a, b } = await startCluster(test, { config });
  return { client: a, server: b };
}

/** Waits until a child has printed a line that matches, wherever among its lines. */
export async function untilPrinted(child: Child, pattern: RegExp): Promise<void> {
  await until(`a line that matches ${pattern}`, () => pattern.test(child.output()));
}
