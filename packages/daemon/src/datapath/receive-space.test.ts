import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ReceiveState } from "./endpoint-state.ts";
import { ReceiveSpace } from "./receive-space.ts";
import { Translator } from "./translator.ts";

const regionBytes = 64 * 1024;

interface Made {
  space: ReceiveSpace;
  /** What the app was told, in order. */
  told: string[];
}

function make(t: TestContext, saved: ReceiveState | null, takes: () => boolean = () => true): Made {
  const told: string[] = [];
  const space = new ReceiveSpace({
    label: "test",
    translator: new Translator(),
    bytesMax: 3 * regionBytes,
    regionBytes,
    announce: (id) => {
      if (takes()) told.push(`region ${id}`);
      return takes();
    },
    retract: (id) => told.push(`unmap ${id}`),
    tryLater: () => told.push("later"),
    saved,
  });
  t.after(() => space.close());
  return { space, told };
}

function take({ space }: Made, bytes: number): [number, number] {
  assert.ok(space.reserve(bytes), `${bytes} bytes`);
  return [space.heap.tag, space.heap.offset];
}

describe("ReceiveSpace", () => {
  it("has no region before the first block", (t) => {
    const made = make(t, null);
    assert.deepEqual(made.space.usage(), { regionBytes: 0, blocks: 0 });
    made.space.renew();
    assert.deepEqual(made.told, []);
    take(made, 100);
    assert.deepEqual(made.told, ["region 0"]);
    assert.deepEqual(made.space.usage(), { regionBytes, blocks: 1 });
  });
});

describe("ReceiveSpace after another one", () => {
  it("has regions of its own, takes old blocks back, and unmaps an old region then", (t) => {
    const before = make(t, null);
    const kept = take(before, 100);
    const other = take(before, 100);
    before.space.free(...other);
    const after = make(t, before.space.save());
    assert.ok(after.space.introduce());
    assert.deepEqual(after.told, ["region 1"]);
    assert.deepEqual(after.space.usage(), { regionBytes: 2 * regionBytes, blocks: 1 });
    assert.equal(take(after, 100)[0] >>> 16, 1);
    assert.equal(after.space.free(...other), false);
    assert.ok(after.space.free(...kept));
    assert.equal(after.space.free(...kept), false);
    assert.deepEqual(after.told, ["region 1", "unmap 0"]);
    assert.deepEqual(after.space.usage(), { regionBytes, blocks: 1 });
  });

  it("unmaps what nothing is out of, once the app knows the new region", (t) => {
    const before = make(t, null);
    before.space.free(...take(before, 100));
    let isTaken = false;
    const after = make(t, before.space.save(), () => isTaken);
    assert.equal(after.space.reserve(100), false);
    assert.deepEqual(after.told, ["later"]);
    isTaken = true;
    assert.ok(after.space.reserve(100));
    assert.deepEqual(after.told, ["later", "region 1", "unmap 0"]);
  });

  it("counts old regions when it grows", (t) => {
    const before = make(t, null);
    const first = take(before, regionBytes - 8192);
    const second = take(before, regionBytes - 8192);
    const after = make(t, before.space.save());
    assert.ok(after.space.reserve(regionBytes - 8192));
    assert.equal(after.space.reserve(regionBytes - 8192), false);
    after.space.free(...first);
    after.space.free(...second);
    assert.ok(after.space.reserve(regionBytes - 8192));
  });

  it("remembers across several of them, without giving an id twice in a row", (t) => {
    let made = make(t, null);
    const kept = take(made, 100);
    const ids = new Set<number>();
    for (let i = 0; i < 31; i++) {
      made = make(t, made.space.save());
      assert.ok(made.space.introduce());
      const id = take(made, 100)[0] >>> 16;
      made.space.free(made.space.heap.tag, made.space.heap.offset);
      assert.ok(!ids.has(id) && id !== 0, `region ${id}`);
      ids.add(id);
    }
    assert.deepEqual(made.space.usage(), { regionBytes: 2 * regionBytes, blocks: 1 });
    assert.ok(made.space.free(...kept));
  });

  it("does not hand on a region that the app never heard of", (t) => {
    const before = make(t, null);
    before.space.free(...take(before, 100));
    const unheard = make(t, before.space.save(), () => false);
    const after = make(t, unheard.space.save());
    assert.ok(after.space.introduce());
    assert.deepEqual(after.told, ["region 2", "unmap 0"]);
  });
});
