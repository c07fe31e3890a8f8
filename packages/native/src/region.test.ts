import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  closeFd,
  EBADF,
  EINVAL,
  regionBytes,
  regionCreate,
  regionMap,
  regionPunch,
  regionReadAt,
  regionRelease,
  regionSeal,
  regionSeals,
  regionUnmap,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
} from "./index.ts";

const bytes = 64 * 1024;

/** Mappings of this process whose memfd has this name. */
function mappingCount(name: string): number {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(`/memfd:${name} `)).length;
}

test("two mappings of a region share memory, and unmapping detaches", () => {
  const fd = regionCreate("region-share", bytes);
  const writable = regionMap(fd, bytes, true);
  const readable = regionMap(fd, bytes, false);
  assert.equal(writable.byteLength, bytes);
  assert.equal(regionBytes(fd), bytes);
  const view = new Uint8Array(writable);
  view[bytes - 1] = 9;
  assert.equal(new Uint8Array(readable)[bytes - 1], 9);
  assert.equal(Atomics.add(new Int32Array(writable), 0, 5), 0);
  assert.equal(Atomics.load(new Int32Array(readable), 0), 5);
  assert.equal(mappingCount("region-share"), 2);

  regionUnmap(writable);
  assert.equal(writable.byteLength, 0);
  assert.equal(view.length, 0);
  assert.equal(mappingCount("region-share"), 1);
  assert.throws(() => regionUnmap(writable), { code: "ERR_NATIVE_ARGUMENT" });
  assert.equal(new Uint8Array(readable)[bytes - 1], 9);
  regionUnmap(readable);
  assert.equal(mappingCount("region-share"), 0);
  closeFd(fd);
});

test("a mapping outlives its descriptor", () => {
  const fd = regionCreate("region-outlive", bytes);
  const buffer = regionMap(fd, bytes, true);
  closeFd(fd);
  new Uint8Array(buffer).fill(3);
  assert.equal(new Uint8Array(buffer)[4096], 3);
  regionUnmap(buffer);
});

test("a buffer that was released is unmapped by the collector, others stay mapped", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const fd = regionCreate("region-released", bytes);
  const keptFd = regionCreate("region-kept", bytes);
  const view = (() => {
    for (let i = 0; i < 10; i++) {
      const buffer = regionMap(fd, bytes, i % 2 === 0);
      regionRelease(buffer);
      // A second time changes nothing.
      if (i === 0) regionRelease(buffer);
    }
    regionMap(keptFd, bytes, true);
    const viewed = regionMap(fd, bytes, true);
    regionRelease(viewed);
    return new Uint8Array(viewed);
  })();
  assert.equal(mappingCount("region-released") > 0, true);
  const deadline = performance.now() + 10_000;
  while (mappingCount("region-released") > 1) {
    assert.ok(performance.now() < deadline, "still mapped after 10 s of collections");
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  view[0] = 5;
  assert.equal(view[0], 5, "what a view refers to is mapped");
  regionUnmap(view.buffer);
  assert.equal(mappingCount("region-released"), 0);
  assert.equal(mappingCount("region-kept"), 1);
  closeFd(fd);
  closeFd(keptFd);
});

test("however much is mapped, V8's account of memory stays above zero, in use and at the end", () => {
  // V8 ends the process otherwise, so this one is another's.
  const program = `
    const native = await import(${JSON.stringify(new URL("./index.js", import.meta.url).href)});
    const bytes = 8 << 20;
    const fd = native.regionCreate("region-account", bytes);
    const buffers = Array.from({ length: 100 }, () => native.regionMap(fd, bytes, true));
    for (const buffer of buffers.splice(0, 20)) native.regionUnmap(buffer);
    for (const buffer of buffers.splice(0, 20)) native.regionRelease(buffer);
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(buffers.length);
  `;
  // Without a collection, too: then the end of the process is the first to count.
  for (const code of [program, program.replace("gc();", "")]) {
    const args = ["--expose-gc", "--input-type=module", "--eval", code];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "60\n");
  }
});

test("only buffers of regionMap can be unmapped", () => {
  for (const wrong of [new ArrayBuffer(8), {}, undefined, 7]) {
    assert.throws(() => regionUnmap(wrong as ArrayBuffer), { code: "ERR_NATIVE_ARGUMENT" });
    assert.throws(() => regionRelease(wrong as ArrayBuffer), { code: "ERR_NATIVE_ARGUMENT" });
  }
});

test("sizes outside the region or outside 31 bits are refused", () => {
  const fd = regionCreate("region-sizes", bytes);
  assert.throws(() => regionMap(fd, bytes + 1, true), { code: "EINVAL", syscall: "mmap" });
  for (const wrong of [0, -1, 2 ** 31, Number.NaN, 1.5]) {
    assert.throws(() => regionMap(fd, wrong, true), { code: "ERR_NATIVE_ARGUMENT" });
  }
  assert.throws(() => regionMap(-1, bytes, true), { code: "EBADF", errno: -EBADF });
  assert.throws(() => regionCreate("region-empty", 0), { code: "EINVAL" });
  assert.throws(() => regionCreate("x".repeat(200), 1), { code: "ERR_NATIVE_ARGUMENT" });
  assert.throws(() => regionCreate("a\0b", 1), { code: "ERR_NATIVE_ARGUMENT" });
  closeFd(fd);
});

test("punched ranges read as zeroes; reading needs no mapping", () => {
  const fd = regionCreate("region-punch", bytes);
  const buffer = regionMap(fd, bytes, true);
  new Uint8Array(buffer).fill(1);
  regionPunch(fd, 4096, 4096);
  const target = new Uint8Array(16);
  assert.equal(regionReadAt(fd, target, 4096 - 8, 16), 16);
  assert.deepEqual([...target], [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(regionReadAt(fd, target, bytes - 4, 16), 4);
  assert.equal(regionReadAt(fd, target, 0, 17), -EINVAL);
  assert.equal(regionReadAt(fd, target, -1, 1), -EINVAL);
  assert.equal(regionReadAt(-1, target, 0, 1), -EBADF);
  regionUnmap(buffer);
  closeFd(fd);
});

test("a region sealed against size changes can't be truncated", () => {
  const fd = regionCreate("region-sealed", bytes);
  regionSeal(fd, SEAL_SHRINK | SEAL_GROW);
  assert.equal(regionSeals(fd), SEAL_SHRINK | SEAL_GROW);
  assert.throws(() => ftruncateSync(fd, 0), { code: "EPERM" });
  assert.throws(() => ftruncateSync(fd, 2 * bytes), { code: "EPERM" });
  regionSeal(fd, SEAL_SEAL);
  assert.throws(() => regionSeal(fd, SEAL_FUTURE_WRITE), { code: "EPERM", syscall: "fcntl" });
  closeFd(fd);
});

// mprotect on a read-only mapping is in addon/tests/region_test.c: JavaScript has no way to call it.
test("a region sealed against future writes can be written through earlier mappings only", () => {
  const fd = regionCreate("region-read-only", bytes);
  const earlier = new Uint8Array(regionMap(fd, bytes, true));
  regionSeal(fd, SEAL_SHRINK | SEAL_GROW | SEAL_FUTURE_WRITE);
  assert.throws(() => regionMap(fd, bytes, true), { code: "EPERM", syscall: "mmap" });
  assert.throws(() => writeSync(fd, "x", 0), { code: "EPERM" });
  assert.throws(() => ftruncateSync(fd, 0), { code: "EPERM" });
  assert.throws(() => regionPunch(fd, 0, 4096), { code: "EPERM" });

  const reopened = openSync(`/proc/self/fd/${fd}`, "r+");
  assert.throws(() => regionMap(reopened, bytes, true), { code: "EPERM" });
  assert.throws(() => writeSync(reopened, "x", 0), { code: "EPERM" });
  assert.throws(() => ftruncateSync(reopened, 0), { code: "EPERM" });
  closeSync(reopened);

  const later = new Uint8Array(regionMap(fd, bytes, false));
  earlier[100] = 77;
  assert.equal(later[100], 77);
  regionUnmap(earlier.buffer as ArrayBuffer);
  regionUnmap(later.buffer as ArrayBuffer);
  closeFd(fd);
});
