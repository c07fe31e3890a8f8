/** Serves `test.v1.River` as `river`, and prints `serving`. */
import { serve } from "@koala/mrpc";
import { River } from "../gen/test/v1/river_pb.ts";
import { riverImpl } from "../stage/river.ts";

await serve({ name: "river" }, (router) => router.service(River, riverImpl));
process.stdout.write("serving\n");
