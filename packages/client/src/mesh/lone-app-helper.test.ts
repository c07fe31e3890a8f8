/** A small app for tests that need a process or a thread of its own. Does nothing by itself. */
import { parentPort, workerData } from "node:worker_threads";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { connect } from "./connect.ts";

const task: unknown = process.env["KOALA_TEST_TASK"] ?? workerData?.task;
const prefix = process.env["KOALA_TEST_PREFIX"] ?? workerData?.prefix;

async function callAndIdle(): Promise<void> {
  const mesh = await connect({ prefix, name: "lone" });
  const reply = await mesh.client(Echo, "echo").say({ text: "lone" });
  console.log(reply.text);
  // No close: an idle connection must not keep the process.
}

async function serveUntilKilled(): Promise<void> {
  const mesh = await connect({ prefix, name: "lone" });
  await mesh.serve({ name: "lone" }, (r) => r.service(Echo, { say: () => ({ text: "served" }) }));
  console.log("serving");
}

async function callMany(): Promise<void> {
  const mesh = await connect({ prefix, name: "worker" });
  const client = mesh.client(Echo, "echo");
  const calls = Array.from({ length: 200 }, (_, number) => client.say({ number }));
  const replies = await Promise.all(calls);
  await mesh.close();
  parentPort!.postMessage(replies.filter((reply, number) => reply.number === number + 1).length);
}

if (task === "call") await callAndIdle();
if (task === "serve") await serveUntilKilled();
if (task === "many") await callMany();
