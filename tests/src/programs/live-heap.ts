/**
 * To be preloaded (`--import`) by a program under test: collects all garbage of each of its threads every second, and
 * prints `live heap THREAD KILOBYTES`, what is then left in JavaScript's heap and in array buffers.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { threadId } from "node:worker_threads";

const intervalMs = 1000;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
setInterval(() => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  console.log(`live heap ${threadId} ${Math.ceil((heapUsed + external) / 1024)}`);
}, intervalMs).unref();
