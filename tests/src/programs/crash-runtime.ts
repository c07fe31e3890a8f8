/**
 * Loaded into a daemon before its own program (`node --import`), and so into each of its threads: makes a
 * runtime fail at its next command. Which one stands in the file that `KOALA_TEST_CRASH` names, which is
 * removed then; with ` always` behind the number it stays, and only commands to attach count.
 */
import { readFileSync, unlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

const index: unknown = threads.workerData?.index;
const path = process.env["KOALA_TEST_CRASH"];

if (path !== undefined && typeof index === "number") {
  const receive = threads.receiveMessageOnPort;
  threads.receiveMessageOnPort = (port) => {
    const received = receive(port);
    if (received !== undefined && isMeant(path, received.message.op)) {
      throw new Error("made to fail by a test");
    }
    return received;
  };
  syncBuiltinESMExports();
}

function isMeant(file: string, op: string): boolean {
  const text = read(file);
  if (text === `${index} always`) return op === "attach";
  if (text !== String(index)) return false;
  unlinkSync(file);
  return true;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
