// The child process of the seal tests runs this file, too, with the argument "attack".
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import {
  closeFd,
  regionBytes,
  regionCreate,
  regionMap,
  regionPunch,
  regionSeal,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
} from "@koala/native";
import { countDescriptors, countMappings, spawnNode } from "@koala/testing";
import { closeRegion, createRegion, mapRegion, REGION_BYTES_MAX } from "./region.ts";

const bytes = 65_536;
const inherited = 3;
const greeting = 0x6b6f616c;

function hasCode(code: string, text: RegExp = /./): (error: unknown) => boolean {
  return (error) => error instanceof KoalaError && error.code === code && text.test(error.message);
}

/** What a process tries with a region that it may not change; each must throw. */
function attacks(fd: number, address: bigint): Record<string, () => void> {
  const data = Buffer.from("evil");
  /** Tries something with a second descriptor for the same file. */
  const reopened = (flags: string, attempt: (fd: number) => void) => () => {
    const again = openSync(`/proc/self/fd/${fd}`, flags);
    try {
      attempt(again);
    } finally {
      closeSync(again);
    }
  };
  return {
    "writable mmap": () => regionMap(fd, bytes, true),
    write: () => writeSync(fd, data, 0, 4, null),
    pwrite: () => writeSync(fd, data, 0, 4, 0),
    "punch a hole": () => regionPunch(fd, 0, 4096),
    "mmap, re-opened": reopened("r+", (again) => regionMap(again, bytes, true)),
    "pwrite, re-opened": reopened("r+", (again) => writeSync(again, data, 0, 4, 0)),
    "truncate by opening": () => closeSync(openSync(`/proc/self/fd/${fd}`, "w")),
    "write through /proc/self/mem": () => {
      const memory = openSync("/proc/self/mem", "r+");
      try {
        writeSync(memory, data, 0, 4, address as unknown as number);
      } finally {
        closeSync(memory);
      }
    },
  };
}

/** What nobody may do with any region; each must throw. */
function resizes(fd: number): Record<string, () => void> {
  return {
    shrink: () => ftruncateSync(fd, 4096),
    "shrink to nothing": () => ftruncateSync(fd, 0),
    grow: () => ftruncateSync(fd, 2 * bytes),
    "grow by writing": () => writeSync(fd, Buffer.from("x"), 0, 1, bytes),
    "add a seal": () => regionSeal(fd, SEAL_WRITE),
  };
}

/** The mapping of the region in /proc/self/smaps: where it is, and what the kernel lets it become. */
function findMapping(name: string): { address: bigint; flags: string[] } {
  const lines = readFileSync("/proc/self/smaps", "utf8").split("\n");
  const start = lines.findIndex((line) => line.includes(`/memfd:${name}`));
  const flags = lines.slice(start).find((line) => line.startsWith("VmFlags:"));
  const address = BigInt(`0x${lines[start]!.split("-")[0]}`);
  return { address, flags: flags!.slice("VmFlags:".length).trim().split(" ") };
}

/** The child: maps what it inherited as an app does, and prints which attacks the kernel refused. */
function attack(name: string, appMayWrite: boolean): void {
  const memory = mapRegion(inherited, bytes, appMayWrite);
  const { address, flags } = findMapping(name);
  console.log(`reads ${memory.u32[0]}`);
  // Without "mw" (may write) mprotect can't make the mapping writable, either.
  console.log(`may write: ${flags.includes("mw")}`);
  const tried = appMayWrite
    ? resizes(inherited)
    : { ...resizes(inherited), ...attacks(inherited, address) };
  for (const [title, attempt] of Object.entries(tried)) {
    try {
      attempt();
      console.log(`succeeded: ${title}`);
    } catch (error) {
      console.log(`refused: ${title}: ${(error as NodeJS.ErrnoException).code}`);
    }
  }
  if (appMayWrite) memory.u32[1] = greeting;
  console.log(`attacks: ${Object.keys(tried).length}`);
}

async function expectRefusals(name: string, appMayWrite: boolean): Promise<void> {
  const region = createRegion({ name, bytes, appMayWrite });
  region.memory.u32[0] = greeting;
  const before = Buffer.from(region.memory.u8);
  const child = spawnNode(new URL(import.meta.url), ["attack", name, String(appMayWrite)], {
    fds: [region.fd],
  });
  try {
    assert.deepEqual(await child.exit(), { code: 0, signal: null }, child.output());
    const output = child.output();
    assert.ok(output.includes(`reads ${greeting}`), output);
    assert.ok(output.includes(`may write: ${appMayWrite}`), output);
    assert.ok(!output.includes("succeeded"), output);
    const tried = Number(/attacks: (\d+)/.exec(output)![1]);
    assert.equal(output.match(/refused: .*: (EPERM|EIO)$/gm)?.length, tried, output);
    assert.ok(tried >= 5);
    assert.equal(regionBytes(region.fd), bytes);
    if (appMayWrite) assert.equal(region.memory.u32[1], greeting, "the app's own writes arrive");
    else assert.deepEqual(Buffer.from(region.memory.u8), before);
    region.memory.u32[0] = 1;
    assert.equal(region.memory.u32[0], 1, "the daemon's mapping still writes");
  } finally {
    await child.stop();
    closeRegion(region.memory);
    closeFd(region.fd);
  }
}

function register(): void {
  describe("createRegion", () => {
    it("makes memory that another mapping shares", () => {
      const region = createRegion({ name: "test", bytes, appMayWrite: true });
      const other = mapRegion(region.fd, bytes, true);
      region.memory.i32[5] = -7;
      assert.equal(other.i32[5], -7);
      other.f64[bytes / 8 - 1] = 0.5;
      assert.equal(region.memory.f64[bytes / 8 - 1], 0.5);
      closeFd(region.fd);
      other.u8[0] = 9;
      assert.equal(region.memory.u8[0], 9, "mappings outlive the descriptor");
      closeRegion(other);
      closeRegion(region.memory);
    });

    it("refuses sizes that no region has", () => {
      for (const size of [0, -4096, 100, 4097, REGION_BYTES_MAX + 4096, Number.NaN]) {
        assert.throws(
          () => createRegion({ name: "test", bytes: size, appMayWrite: true }),
          hasCode("ERR_SHM_SIZE", /multiple of 4096/),
        );
      }
    });

    it("leaves nothing open when the kernel refuses", () => {
      const before = [countDescriptors(), countMappings()];
      assert.throws(
        () => createRegion({ name: "x".repeat(500), bytes, appMayWrite: true }),
        hasCode("ERR_SHM_CREATE"),
      );
      assert.deepEqual([countDescriptors(), countMappings()], before);
    });

    it("leaves nothing behind after closing", () => {
      const before = [countDescriptors(), countMappings()];
      for (let i = 0; i < 20; i++) {
        const region = createRegion({ name: "test", bytes, appMayWrite: i % 2 === 0 });
        closeRegion(mapRegion(region.fd, bytes, false));
        closeRegion(region.memory);
        closeFd(region.fd);
      }
      assert.deepEqual([countDescriptors(), countMappings()], before);
    });
  });

  describe("mapRegion", () => {
    it("refuses a size that was not announced", () => {
      const region = createRegion({ name: "test", bytes, appMayWrite: true });
      for (const size of [4096, 2 * bytes]) {
        assert.throws(() => mapRegion(region.fd, size, true), hasCode("ERR_SHM_SIZE", /65536/));
      }
      closeRegion(region.memory);
      closeFd(region.fd);
    });

    it("refuses a region that can change its size", () => {
      for (const seals of [0, SEAL_GROW, SEAL_SHRINK | SEAL_SEAL]) {
        const fd = regionCreate("test", bytes);
        if (seals !== 0) regionSeal(fd, seals);
        assert.throws(() => mapRegion(fd, bytes, false), hasCode("ERR_SHM_SEALS", /sealed/));
        closeFd(fd);
      }
    });

    it("says so when a read-only region is to be mapped writable", () => {
      const region = createRegion({ name: "test", bytes, appMayWrite: false });
      assert.throws(() => mapRegion(region.fd, bytes, true), hasCode("ERR_SHM_SEALS", /read-only/));
      closeRegion(mapRegion(region.fd, bytes, false));
      closeRegion(region.memory);
      closeFd(region.fd);
    });

    it("refuses descriptors that are no regions", () => {
      const file = openSync(process.execPath, "r");
      const size = Math.floor(statSync(process.execPath).size / 4096) * 4096;
      assert.throws(() => mapRegion(file, size, false), hasCode("ERR_SHM_SIZE"));
      closeSync(file);
      assert.throws(() => mapRegion(9999, bytes, false), hasCode("ERR_SHM_MAP", /EBADF/));
      const socket = openSync("/dev/null", "r");
      assert.throws(() => mapRegion(socket, bytes, false), KoalaError);
      closeSync(socket);
    });
  });

  describe("closeRegion", () => {
    it("detaches the views, and does nothing the second time", () => {
      const region = createRegion({ name: "test", bytes, appMayWrite: true });
      closeFd(region.fd);
      closeRegion(region.memory);
      closeRegion(region.memory);
      assert.equal(region.memory.u8.length, 0);
      assert.equal(region.memory.node.length, 0);
      assert.equal(region.memory.i32[0], undefined);
      region.memory.i32[0] = 1;
    });
  });

  describe("the seals, against another process", () => {
    it("keep a receive heap from being written or resized", () =>
      expectRefusals("receive-heap-test", false));
    it("keep a region that the app may write from being resized", () =>
      expectRefusals("send-heap-test", true));
  });
}

if (process.argv[2] === "attack") attack(process.argv[3]!, process.argv[4] === "true");
else register();
