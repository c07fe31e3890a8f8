/** The near end of the socket floor: `floor-tcp-client.js PORT`. Blocks in `epoll_wait` during a round. */
import { closeFd, socketWrite } from "@koala/native";
import type { RunCommand } from "../load/load-command.ts";
import { obeyCommands } from "../load/obey-commands.ts";
import { helloBytes, writeHello } from "./floor-hello.ts";
import { connectTo } from "./floor-socket.ts";
import { createSocketEcho, type SocketRound } from "./socket-echo.ts";
import { createSocketPut } from "./socket-put.ts";

const port = Number(process.argv[2]);
let socket: number | undefined;
let load = "";
let round: SocketRound;

/** A connection serves one kind of load; it stays as long as the load is the same, as windows grow with it. */
function roundOf(command: RunCommand): SocketRound {
  const { method, bytes, inFlight } = command;
  const asked = `${method} ${bytes} ${inFlight}`;
  if (asked === load) return round;
  if (socket !== undefined) closeFd(socket);
  socket = connectTo(port);
  socketWrite(socket, writeHello(command), 0, helloBytes);
  round = method === "echo" ? createSocketEcho(socket) : createSocketPut(socket);
  load = asked;
  return round;
}

await obeyCommands(async (command, samples) => roundOf(command)(command, samples));
