/**
 * One end of the streams of open-streams.ts, for a test to kill: `river-end.js serve` prints `serving`,
 * `river-end.js call` prints `calling` once all of its streams are in the middle.
 */
import { connect } from "@koala/mrpc";
import { River } from "../gen/test/v1/river_pb.ts";
import { HandlerEnds, OpenStreams } from "../stage/open-streams.ts";

const mesh = await connect();
if (process.argv[2] === "serve") {
  const { impl } = new HandlerEnds();
  await mesh.serve({ name: "river" }, (router) => router.service(River, impl));
  process.stdout.write("serving\n");
} else {
  const river = mesh.client(River, "river");
  await river.still({}, { waitForReady: true });
  await new OpenStreams(river).moving();
  process.stdout.write("calling\n");
}
