/** Large messages that policies of the server's host look at first, more of them than the link's window. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { postAdmin } from "../stage/admin.ts";
import { assertBytes, pattern } from "../stage/byte-patterns.ts";
import { startCluster } from "../stage/cluster.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";

const config = `[limits]
link_window = "2MiB"
message = "1MiB"
stream_window = "256KiB"
[link]
frame = "32KiB"
`;

it("large messages at once, six windows of them, get through the policies of the server", async (t) => {
  const { a, b } = await startCluster(t, { config });
  const rules = [
    { name: "never", effect: "deny", method: "Echo", when: 'request.text == "never"' },
  ];
  const policy = { use: "acl", config: { default: "allow", rules } };
  await postAdmin(b.prefix, "/v1/policies/attach", { policy });
  await startKitchen(t, b);
  const mesh = await connectTo(t, a);
  const kitchen = mesh.client(Kitchen, "kitchen");
  const bodies = Array.from({ length: 14 }, (_, i) => pattern(900_000, i));
  const replies = await Promise.all(
    bodies.map((data) => kitchen.echo({ data }, { waitForReady: true, timeoutMs: 60_000 })),
  );
  assert.equal(replies.length, bodies.length);
  for (const [i, { data }] of replies.entries()) assertBytes(data, bodies[i]!);
});
