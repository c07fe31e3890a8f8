/** Clients and servers that were built from different versions of a .proto file. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Mesh, Status } from "@koala/mrpc";
import type { Child } from "@koala/testing";
import { startApp } from "../stage/cluster.ts";
import { connectTo, endWithSuite, startTopology, type Topology } from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";
import { createShop, type Shop, type ShopVersion } from "../stage/shop.ts";

/** Versions of the two sides, what is sent, what arrives, what is answered and what comes back. */
interface Evolution {
  readonly what: string;
  readonly client: ShopVersion;
  readonly server: ShopVersion;
  readonly order: JsonValue;
  readonly got: JsonValue;
  readonly receipt: JsonValue;
  readonly returned: JsonValue;
}

const evolutions: readonly Evolution[] = [
  {
    what: "the server knows a field more",
    client: { order: [["item", 1, "string"]], receipt: [["number", 1, "int32"]] },
    server: {
      order: [
        ["item", 1, "string"],
        ["count", 2, "int32"],
      ],
      receipt: [
        ["number", 1, "int32"],
        ["note", 2, "string"],
      ],
    },
    order: { item: "tea" },
    got: { item: "tea" },
    receipt: { number: 7, note: "thanks" },
    returned: { number: 7 },
  },
  {
    what: "the client knows a field more",
    client: {
      order: [
        ["item", 1, "string"],
        ["tags", 2, "repeated string"],
        ["count", 3, "int32"],
      ],
      receipt: [
        ["number", 1, "int32"],
        ["note", 2, "string"],
      ],
    },
    server: {
      order: [
        ["item", 1, "string"],
        ["count", 3, "int32"],
      ],
      receipt: [["number", 1, "int32"]],
    },
    order: { item: "tea", tags: ["a", "b"], count: 3 },
    got: { item: "tea", count: 3 },
    receipt: { number: 8 },
    returned: { number: 8 },
  },
  {
    what: "a field has another name and another place",
    client: {
      order: [
        ["item", 1, "string"],
        ["count", 2, "int32"],
      ],
    },
    server: {
      order: [
        ["amount", 2, "int32"],
        ["article", 1, "string"],
      ],
    },
    order: { item: "tea", count: 2 },
    got: { amount: 2, article: "tea" },
    receipt: {},
    returned: {},
  },
  {
    what: "an enum has a value more on the server",
    client: {
      order: [["color", 1, "Color"]],
      receipt: [["color", 1, "Color"]],
      colors: ["COLOR_NONE", "COLOR_RED"],
    },
    server: {
      order: [["color", 1, "Color"]],
      receipt: [["color", 1, "Color"]],
      colors: ["COLOR_NONE", "COLOR_RED", "COLOR_BLUE"],
    },
    order: { color: "COLOR_RED" },
    got: { color: "COLOR_RED" },
    receipt: { color: "COLOR_BLUE" },
    returned: { color: 2 },
  },
  {
    what: "int32 has become int64",
    client: { order: [["count", 1, "int32"]], receipt: [["number", 1, "int32"]] },
    server: { order: [["count", 1, "int64"]], receipt: [["number", 1, "int64"]] },
    order: { count: -5 },
    got: { count: "-5" },
    receipt: { number: "2147483647" },
    returned: { number: 2147483647 },
  },
];

/** What a conflict looks like on one of the sides: the order's field 2 is a string, or a number. */
const textual: ShopVersion = {
  order: [
    ["item", 1, "string"],
    ["size", 2, "string"],
  ],
};
const numeric: ShopVersion = {
  order: [
    ["item", 1, "string"],
    ["size", 2, "int32"],
  ],
};

for (const hosts of [2, 1]) {
  const title = hosts === 2 ? "two daemons" : "one daemon";
  describe(`different schemas, ${title}`, { timeout: 120_000 }, () => {
    const ending = endWithSuite();
    let hostsOf: Topology;
    let mesh: Mesh;
    let shopCount = 0;
    before(async () => {
      hostsOf = await startTopology(ending, hosts);
      mesh = await connectTo(ending, hostsOf.client);
    });

    /** Starts a shop under a name that is not in use, or under the given one. */
    async function open(
      { descriptorSet }: Shop,
      receipt: JsonValue = {},
      name: string = `shop-${shopCount++}`,
    ): Promise<{ name: string; child: Child }> {
      const text = Buffer.from(descriptorSet).toString("base64");
      const args = [name, text, JSON.stringify(receipt)];
      const child = startApp(ending, hostsOf.server, "shop-server", args);
      await child.line(/^serving$/);
      return { name, child };
    }

    /** Calls a method; messages are JSON, because their types are known at run time only. */
    async function call(
      { service }: Shop,
      target: string,
      order: JsonValue = {},
      name: string = "buy",
    ): Promise<JsonValue> {
      const { input, output } = service.method[name]!;
      const client = mesh.client(service, target) as Record<string, (m: unknown) => Promise<never>>;
      return toJson(output, await client[name]!(fromJson(input, order)));
    }

    for (const { what, client, server, order, got, receipt, returned } of evolutions) {
      it(`calls go through when ${what}`, async () => {
        const shop = await open(createShop(server), receipt);
        assert.deepEqual(await call(createShop(client), shop.name, order), returned);
        const [, json] = await shop.child.line(/^got Buy (.*)$/);
        assert.deepEqual(JSON.parse(json!), got);
      });
    }

    it("large bytes go through beside fields that the other side does not know", async () => {
      const photo = Buffer.alloc(3 * 1024 * 1024, "koala").toString("base64");
      const small: ShopVersion = {
        order: [["photo", 3, "bytes"]],
        receipt: [["photo", 3, "bytes"]],
      };
      const large: ShopVersion = {
        order: [
          ["thumbnail", 1, "bytes"],
          ["item", 2, "string"],
          ["photo", 3, "bytes"],
        ],
        receipt: [
          ["photo", 3, "bytes"],
          ["item", 4, "string"],
        ],
      };
      const server = createShop(small);
      const client = createShop(large);
      const shop = await open(server);
      const thumbnail = Buffer.alloc(20_000, "thumb").toString("base64");
      assert.deepEqual(await call(client, shop.name, { thumbnail, item: "tea", photo }), {});
      const [, json] = await shop.child.line(/^got Buy (.*)$/);
      assert.deepEqual(Object.keys(JSON.parse(json!)), ["photo"]);
      assert.ok(JSON.parse(json!).photo === photo, "the photo is another one");
    });

    it("a method that the server does not have is UNIMPLEMENTED, the others work", async () => {
      const shop = await open(createShop({ methods: ["Sell", "Buy"] }));
      const client = createShop({ methods: ["Buy", "Swap", "Sell"] });
      assert.deepEqual(await call(client, shop.name, {}, "sell"), {});
      const error = await rejection(call(client, shop.name, {}, "swap"));
      assert.equal(error.status, Status.UNIMPLEMENTED);
      assert.equal(error.origin, hosts === 2 ? "remote-daemon" : "local-daemon");
      assert.match(error.message, /shop\.v1\.Shop\/Swap.*no such method/);
      assert.deepEqual(await call(client, shop.name, {}, "buy"), {});
    });

    it("a method that only some servers have goes to those, and the others share the rest", async () => {
      const older = await open(createShop({ methods: ["Buy"] }));
      const newer = await open(createShop({ methods: ["Buy", "Sell"] }), {}, older.name);
      const client = createShop({ methods: ["Buy", "Sell", "Swap"] });
      for (let i = 0; i < 4; i++) {
        // Two in a row: in turn, one of them would go to the older server.
        for (const name of ["sell", "sell", "buy"]) {
          assert.deepEqual(await call(client, older.name, {}, name), {});
        }
      }
      await older.child.line(/^got Buy/);
      assert.equal(newer.child.output().match(/^got Sell/gm)?.length, 8);
      const error = await rejection(call(client, older.name, {}, "swap"));
      assert.equal(error.status, Status.UNIMPLEMENTED);
    });

    it("a conflict is FAILED_PRECONDITION and names file, message and field", async () => {
      const shop = await open(createShop(textual));
      const error = await rejection(call(createShop(numeric), shop.name, { item: "tea" }));
      assert.equal(error.status, Status.FAILED_PRECONDITION);
      assert.equal(error.retryable, false);
      assert.match(error.message, /shop\/v1\/shop\.proto: shop\.v1\.Order\.size \(2\)/);
      assert.match(error.message, /is string here and int32 in the other version/);
      assert.deepEqual(await call(createShop(textual), shop.name, { item: "tea" }), {});
    });

    it("calls go to the servers that understand them", async () => {
      const conflicting = await open(createShop(textual));
      const client = createShop(numeric);
      assert.equal(
        (await rejection(call(client, conflicting.name))).status,
        Status.FAILED_PRECONDITION,
      );
      const fitting = await open(createShop(numeric), {}, conflicting.name);
      for (let size = 1; size <= 6; size++) await call(client, conflicting.name, { size });
      await fitting.child.line(/^got Buy \{"size":6\}$/);
      assert.doesNotMatch(conflicting.child.output(), /got/);
    });

    it("a value that the other version cannot say ends its call only", async () => {
      const shop = await open(createShop({ order: [["item", 1, "string"]] }));
      const client = createShop({ order: [["item", 1, "bytes"]] });
      const item = Buffer.of(0xff, 0xfe).toString("base64");
      const error = await rejection(call(client, shop.name, { item }));
      assert.equal(error.status, Status.FAILED_PRECONDITION);
      assert.match(error.message, /Buy: the request can't be said.*shop\.v1\.Shop/);
      const tea = Buffer.from("tea").toString("base64");
      assert.deepEqual(await call(client, shop.name, { item: tea }), {});
      await shop.child.line(/^got Buy \{"item":"tea"\}$/);
    });
  });
}
