/** The near end of the socket floor: `floor-tcp-client.js PORT`. Blocks in `epoll_wait` during a round. */
import { obeyCommands } from "../obey-commands.ts";
import { connectTo } from "./floor-socket.ts";
import { createSocketEcho } from "./socket-echo.ts";
import { createSocketPut } from "./socket-put.ts";

const socket = connectTo(Number(process.argv[2]));
const echo = createSocketEcho(socket);
const put = createSocketPut(socket);

await obeyCommands(async (command, samples) =>
  command.method === "echo" ? echo(command, samples) : put(command, samples),
);
