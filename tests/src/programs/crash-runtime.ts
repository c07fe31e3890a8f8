/**
 * Loaded into a daemon before its own program (`node --import`), and so into each of its threads: makes
 * runtime 1 fail when it gets an app to serve.
 */
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

if (threads.workerData?.index === 1) {
  const receive = threads.receiveMessageOnPort;
  threads.receiveMessageOnPort = (port) => {
    const received = receive(port);
    if (received?.message.op === "attach") throw new Error("made to fail by a test");
    return received;
  };
  syncBuiltinESMExports();
}
