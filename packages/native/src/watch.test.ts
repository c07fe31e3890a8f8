import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { test } from "node:test";
import {
  closeFd,
  doorbellClear,
  doorbellCreate,
  doorbellRing,
  POLL_IN,
  POLL_OUT,
  POLL_RDHUP,
  SOCKET_STREAM,
  unixPair,
  unwatch,
  watch,
  watchChange,
  watchRef,
} from "./index.ts";

const indexUrl = new URL("./index.js", import.meta.url).href;

/** Runs a module with the package as `native`; its exit code and what it wrote. */
function runModule(body: string): Promise<{ code: number | null; output: string }> {
  const source = `import * as native from ${JSON.stringify(indexUrl)};\n${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { timeout: 20_000 });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

/** Rejects in place of hanging; the timer also keeps the process alive for watchers without a ref. */
function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within 10 s`)), 10_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

test("a rung doorbell calls back, and is clear already when asked for", async () => {
  const bell = doorbellCreate();
  const order: string[] = [];
  let handle = 0;
  const called = new Promise<number>((resolve) => {
    handle = watch(
      bell,
      POLL_IN,
      (events) => {
        order.push(`clear ${doorbellClear(bell)}`);
        process.nextTick(() => order.push("tick"));
        queueMicrotask(() => order.push("microtask"));
        setImmediate(() => resolve(events));
      },
      { clear: true },
    );
  });
  doorbellRing(bell);
  assert.equal(await within(called, "callback"), POLL_IN);
  assert.deepEqual(order, ["clear 0", "tick", "microtask"]);
  unwatch(handle);
  closeFd(bell);
});

test("without the option the doorbell stays rung until the callback clears it", async () => {
  const bell = doorbellCreate();
  let calls = 0;
  let handle = 0;
  const third = new Promise<void>((resolve) => {
    handle = watch(bell, POLL_IN, () => {
      calls++;
      if (calls < 3) return;
      doorbellClear(bell);
      resolve();
    });
  });
  doorbellRing(bell);
  await within(third, "third call");
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 3);
  unwatch(handle);
  closeFd(bell);
});

test("events can be changed; 0 pauses; the peer's end is seen", async () => {
  const [mine, peer] = unixPair(SOCKET_STREAM);
  let seen: (events: number) => void = () => {};
  const next = () =>
    within(
      new Promise<number>((resolve) => {
        seen = resolve;
      }),
      "event",
    );
  const writable = next();
  const handle = watch(mine, POLL_OUT, (events) => {
    watchChange(handle, 0);
    seen(events);
  });
  assert.equal(await writable, POLL_OUT);
  const ended = next();
  watchChange(handle, POLL_IN | POLL_RDHUP);
  closeFd(peer);
  assert.equal(await ended, POLL_IN | POLL_RDHUP);
  unwatch(handle);
  closeFd(mine);
});

test("a handle that has ended is refused, also when its place is taken again", () => {
  const bell = doorbellCreate();
  const stale = watch(bell, POLL_IN, () => {});
  unwatch(stale);
  const current = watch(bell, POLL_IN, () => {});
  for (const wrong of [stale, -1, 1 << 20, 2 ** 31 - 1]) {
    assert.throws(() => unwatch(wrong), { code: "ERR_NATIVE_HANDLE" });
    assert.throws(() => watchChange(wrong, POLL_IN), { code: "ERR_NATIVE_HANDLE" });
    assert.throws(() => watchRef(wrong, true), { code: "ERR_NATIVE_HANDLE" });
  }
  assert.throws(() => watch(bell, POLL_IN, () => {}), { code: "EEXIST" });
  unwatch(current);
  closeFd(bell);
  assert.throws(() => watch(bell, POLL_IN, () => {}), { code: "EBADF" });
  assert.throws(() => watch(0, POLL_IN, undefined as never), { code: "ERR_NATIVE_ARGUMENT" });
});

test("hundreds of watchers come and go, some ended by the callback of another", async () => {
  const bells = Array.from({ length: 300 }, () => doorbellCreate());
  const handles: number[] = [];
  let calls = 0;
  const all = new Promise<void>((resolve) => {
    for (const [index, bell] of bells.entries()) {
      const onBell = (): void => {
        calls++;
        unwatch(handles[index] as number);
        // The neighbour is ready in the same turn of the loop, and must not be called any more.
        if (index % 2 === 0) unwatch(handles[index + 1] as number);
        if (calls === 150) setImmediate(resolve);
      };
      handles.push(index % 2 === 0 ? watch(bell, POLL_IN, onBell) : watch(bell, POLL_OUT, onBell));
    }
    for (const [index, handle] of handles.entries()) {
      if (index % 2 === 1) watchChange(handle, 0);
    }
    for (const bell of bells) doorbellRing(bell);
  });
  await within(all, "150 calls");
  assert.equal(calls, 150);
  for (const bell of bells) closeFd(bell);
});

test("the callback runs in the async context of watch", async () => {
  const bell = doorbellCreate();
  const storage = new AsyncLocalStorage<string>();
  let handle = 0;
  const called = new Promise<string | undefined>((resolve) => {
    storage.run("context of watch", () => {
      handle = watch(bell, POLL_IN, () => resolve(storage.getStore()), { clear: true });
    });
  });
  storage.run("context of ring", () => doorbellRing(bell));
  assert.equal(await within(called, "callback"), "context of watch");
  unwatch(handle);
  closeFd(bell);
});

test("what a callback throws is an uncaughtException, and the watcher goes on", async () => {
  const result = await runModule(`
    const bell = native.doorbellCreate();
    let calls = 0;
    const handle = native.watch(bell, native.POLL_IN, () => {
      calls++;
      native.doorbellRing(bell);
      process.nextTick(() => console.log("tick", calls));
      if (calls < 3) throw new Error("boom " + calls);
      native.unwatch(handle);
    }, { clear: true });
    process.on("uncaughtException", (error, origin) => console.log(origin, error.message));
    native.doorbellRing(bell);
  `);
  assert.equal(result.code, 0, result.output);
  for (const line of ["uncaughtException boom 1", "uncaughtException boom 2", "tick 3"]) {
    assert.ok(result.output.includes(line), `${line} is missing in: ${result.output}`);
  }
});

test("without a handler the exception ends the process", async () => {
  const result = await runModule(`
    const bell = native.doorbellCreate();
    native.watch(bell, native.POLL_IN, () => { throw new Error("nobody catches this"); });
    native.doorbellRing(bell);
  `);
  assert.equal(result.code, 1, result.output);
  assert.match(result.output, /nobody catches this/);
});

test("a watcher without a ref lets the process end, one with a ref keeps it", async () => {
  const body = (option: string): string => `
    const bell = native.doorbellCreate();
    const handle = native.watch(bell, native.POLL_IN, () => {}, ${option});
    setTimeout(() => { console.log("kept"); native.unwatch(handle); }, 50).unref();
  `;
  const ended = await runModule(body("{ ref: false }"));
  assert.equal(ended.code, 0);
  assert.equal(ended.output, "");
  const kept = await runModule(body("{ ref: true }"));
  assert.equal(kept.code, 0);
  assert.equal(kept.output, "kept\n");
});

test("a process can exit inside a callback and with watchers and mappings left", async () => {
  const result = await runModule(`
    const bell = native.doorbellCreate();
    globalThis.kept = native.regionMap(native.regionCreate("left", 4096), 4096, true);
    native.watch(bell, native.POLL_IN, () => process.exit(7));
    native.doorbellRing(bell);
  `);
  assert.equal(result.code, 7, result.output);
});
