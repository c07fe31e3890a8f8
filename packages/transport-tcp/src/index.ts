/**
 * Links between daemons over TCP.
 *
 * @example
 * const transport = createTcpTransport({ keepAliveSeconds: 20 });
 * const listener = transport.listen("0.0.0.0", 7447);
 *
 * @packageDocumentation
 */
export { adoptTcpListener, createTcpTransport, type TcpOptions } from "./tcp.ts";
