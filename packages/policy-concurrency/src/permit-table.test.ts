import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PermitTable } from "./permit-table.ts";

const nowMs = 5_000_000;

function tables(keysMax: number, runtimes: number): PermitTable[] {
  const memory = new SharedArrayBuffer(PermitTable.bytesFor(keysMax, runtimes));
  return Array.from({ length: runtimes }, (_, index) => {
    const table = new PermitTable(memory, { index, count: runtimes }, () => 0.25);
    table.begin();
    return table;
  });
}

describe("PermitTable", () => {
  it("counts all runtimes together and each alone", () => {
    const [one, other] = tables(64, 2);
    const entry = one!.find(1, 2, nowMs, 9);
    assert.equal(other!.find(1, 2, nowMs, 9), entry);
    assert.ok(one!.acquire(entry, 3, nowMs));
    assert.ok(other!.acquire(entry, 3, nowMs));
    assert.ok(other!.acquire(entry, 3, nowMs));
    assert.ok(!one!.acquire(entry, 3, nowMs));
    assert.equal(one!.inFlight(entry), 3);
    other!.begin();
    assert.equal(one!.inFlight(entry), 1, "the other one has begun anew");
    one!.release(entry, one!.generation);
    assert.equal(one!.inFlight(entry), 0);
  });

  it("has room for as many keys as it was made for, with any number of runtimes", () => {
    for (const runtimes of [1, 3, 64]) {
      for (const keysMax of [8, 9, 1000, 1024]) {
        const [table] = tables(keysMax, runtimes);
        assert.ok(table!.entries >= keysMax, `${table!.entries} for ${keysMax}`);
        assert.ok(table!.entries < 2 * keysMax + 8);
        const last = table!.find(table!.entries - 1, 1, nowMs, 1);
        assert.ok(table!.acquire(last, 1, nowMs));
      }
    }
  });

  it("lets the key go that was used least recently, but none with calls in flight", () => {
    const [table] = tables(8, 1);
    for (let key = 1; key <= 8; key++) {
      const entry = table!.find(key, 0, nowMs + key, 5);
      assert.ok(table!.acquire(entry, 5, nowMs + key));
    }
    assert.equal(table!.find(9, 0, nowMs + 10, 5) >= 0, true);
    assert.equal(table!.crowded, 1, "all are in use: two keys share a limit");
    const third = table!.find(3, 0, nowMs + 20, 5);
    const fifth = table!.find(5, 0, nowMs + 20, 5);
    table!.release(third, table!.generation);
    table!.release(fifth, table!.generation);
    table!.setLimit(third, 77);
    table!.setUsualMicros(third, 1234);
    assert.equal(table!.find(10, 0, nowMs + 30, 5), third, "used longest ago");
    assert.equal(table!.limitOf(third), 5, "what was learned of the other key is gone");
    assert.equal(table!.usualMicros(third), 0);
    assert.equal(table!.crowded, 1);
  });

  it("takes back what another runtime gave, as long as that one is there", () => {
    const [one, other] = tables(64, 2);
    const entry = one!.find(1, 2, nowMs, 9);
    assert.ok(one!.acquire(entry, 9, nowMs));
    assert.ok(one!.acquire(entry, 9, nowMs));
    const { generation } = one!;
    assert.notEqual(generation, other!.generation);
    assert.ok(other!.release(entry, generation));
    assert.equal(one!.inFlight(entry), 1);
    one!.begin();
    assert.equal(one!.inFlight(entry), 0);
    assert.ok(!other!.release(entry, generation));
    assert.ok(!one!.release(entry, one!.generation), "it has given none");
    for (const strange of [0, 63, 7 * 64 + 1, 2 ** 40]) assert.ok(!one!.release(entry, strange));
    assert.equal(one!.inFlight(entry), 0);
  });

  it("knows its user from an earlier one", () => {
    const [table] = tables(8, 1);
    const { generation } = table!;
    table!.begin();
    assert.notEqual(table!.generation, generation);
    table!.resume(generation, []);
    assert.equal(table!.generation, generation);
  });

  it("hands what is in flight to an instance that began anew, and once only", () => {
    const [table, other] = tables(8, 2);
    const entry = table!.find(4, 4, nowMs, 9);
    for (let i = 0; i < 3; i++) assert.ok(table!.acquire(entry, 9, nowMs));
    assert.ok(other!.acquire(entry, 9, nowMs));
    const { generation } = table!;
    const counts = table!.counts();
    assert.deepEqual(counts, [[entry, 3]]);
    table!.resume(generation, counts);
    assert.equal(table!.inFlight(entry), 4, "they are counted already");
    table!.begin();
    assert.equal(table!.inFlight(entry), 1);
    table!.resume(generation, counts);
    assert.equal(table!.inFlight(entry), 4);
    assert.ok(table!.release(entry, generation));
    assert.ok(table!.acquire(entry, 9, nowMs));
    assert.ok(table!.release(entry, table!.generation));
    assert.equal(table!.inFlight(entry), 3);
  });
});
