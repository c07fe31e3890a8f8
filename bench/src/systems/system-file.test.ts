import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadSystems } from "./catalog.ts";
import { fillIn } from "./placeholders.ts";
import { startOrder } from "./start-order.ts";
import { readSystemFile, type SystemSpec } from "./system-file.ts";

const client = '[[worker]]\nname = "client"\nrole = "client"\nprogram = "grpc-client.js"\n';
const server = '[[worker]]\nname = "server"\nrole = "server"\nprogram = "grpc-server.js"\n';

function read(text: string): SystemSpec {
  return readSystemFile("some", "bench/systems/some.toml", `title = "T"\n${text}`);
}

function refuses(text: string, pattern: RegExp): void {
  assert.throws(() => startOrder(read(text)), { code: "ERR_EVAL_SYSTEM", message: pattern });
}

function orderOf(text: string): string[] {
  return startOrder(read(text)).map(({ name }) => name);
}

describe("a system's file", () => {
  it("is there, and right, for all systems that are started with one", () => {
    const names = loadSystems().map(({ name }) => name);
    for (const name of ["koala-tcp", "koala-local", "grpc-js", "floor-tcp", "floor-ring-tcp"]) {
      assert.ok(names.includes(name), name);
    }
  });

  it("has a client and a server", () => {
    refuses(client, /one worker must have the role "server"; there are 0/);
  });

  it("says when a daemon is ready", () => {
    const daemon = '[[worker]]\nname = "d"\nrole = "between"\ncommand = "d"\n';
    refuses(client + server + daemon, /nothing says when "d" is ready/);
    refuses(`${client}${server}${daemon}ready_by_port = true`, /needs port = true/);
    refuses(`${client}${server}${daemon}ready = ['(']`, /no regular expression/);
  });

  it("says of a worker one thing that is started", () => {
    refuses(`${server}${client}command = "x"\n`, /exactly one of program, module and command/);
  });

  it("has no key and no role that there is not", () => {
    refuses(`${server}${client}readdy = []`, /no key "worker\[2\].readdy". Did you mean "ready"/);
    refuses(
      server + client.replace('role = "client"', 'role = "clint"'),
      /"worker\[2\].role" must be one of .*Did you mean "client"/,
    );
  });

  it("orders workers by what they ask for, clients last", () => {
    const daemon = (name: string, rest: string): string =>
      `[[worker]]\nname = "${name}"\nrole = "between"\ncommand = "d"\nready = ['x']\n${rest}\n`;
    const a = daemon("a", 'args = ["{b.port}"]');
    const b = daemon("b", 'after = ["server"]');
    assert.deepEqual(orderOf(client + a + b + server), ["server", "b", "a", "client"]);
    refuses(
      client + server + a + daemon("b", 'env = { X = "{a.port}" }'),
      /wait for each other: a, b, client|wait for each other/,
    );
    refuses(client + server + daemon("b", 'after = ["c"]'), /comes after "c"/);
  });
});

describe("placeholders", () => {
  const values = new Map([
    [
      "near",
      new Map([
        ["port", "1"],
        ["folder", "/n"],
      ]),
    ],
    ["own", new Map([["folder", "/o"]])],
  ]);
  const fill = (text: string): string => fillIn("file", "own", text, values);

  it("stand for values of others and of the worker itself; other braces stay", () => {
    assert.equal(fill("{near.port} {folder} {near.folder}/x"), "1 /o /n/x");
    assert.equal(
      fill('address: { a: {near.port} } {"b": {}} {unknown}'),
      'address: { a: 1 } {"b": {}} {unknown}',
    );
  });

  it("that there are not get a suggestion", () => {
    assert.throws(() => fill("{near.prot}"), {
      code: "ERR_EVAL_SYSTEM",
      message: /"own" asks for \{near.prot\}.*Did you mean "port"/,
    });
    assert.throws(() => fill("{naer.port}"), { message: /Did you mean "near"/ });
    assert.throws(() => fill("{port}"), { message: /asks for \{port\}/ });
  });
});
