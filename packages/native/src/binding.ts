/**
 * Every native function, declared once, in the order of addon/glue/functions.h.
 *
 * *Cold* functions throw an `Error` like Node's, with `code` ("EACCES"), `errno` (-13) and `syscall`.
 * *Hot* ones return a number, negative = `-errno`, allocate nothing, and throw only a `TypeError`
 * (`ERR_NATIVE_ARGUMENT`) for an argument of the wrong type. Descriptors belong to the caller: nothing
 * here closes one that it did not open.
 */

/** Who is at the other end of a Unix socket, as the kernel saw it when it connected. */
export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** What the addon exports. */
export interface Binding {
  /** Must equal `abi` of abi.ts. */
  readonly abi: number;
  /** The numbers of constants.ts as this machine's headers have them. */
  readonly constants: Readonly<Record<string, number>>;

  /** Cold. A new memfd that can be sealed; `name` is for /proc/PID/maps only. */
  regionCreate(name: string, bytes: number): number;
  /** Cold. Adds seals (SEAL_*), for good. */
  regionSeal(fd: number, seals: number): void;
  /** Cold. The seals that are set. */
  regionSeals(fd: number): number;
  /** Cold. The size of the file behind the descriptor. */
  regionBytes(fd: number): number;
  /**
   * Cold. Maps the first `bytes`, shared with every other mapping of the region. The descriptor is not
   * needed afterwards. `bytes` is below 2 GiB and not beyond the end of the file. Writing to a mapping
   * that is not `writable` kills the process. Ends with `regionUnmap`, `regionRelease` or the thread.
   */
  regionMap(fd: number, bytes: number, writable: boolean): ArrayBuffer;
  /**
   * Cold. Unmaps now and detaches: the buffer and its views have length 0 from then on. A buffer whose
   * thread ends before that is unmapped by itself.
   */
  regionUnmap(buffer: ArrayBuffer): void;
  /** Cold. Leaves the unmapping to the collector: when nobody refers to the buffer and its views any more. */
  regionRelease(buffer: ArrayBuffer): void;
  /** Cold. Gives the pages of a range back to the kernel; it reads as zeroes afterwards. */
  regionPunch(fd: number, offset: number, bytes: number): void;
  /**
   * Hot. Reads `length` bytes at `offset` of the region into the start of `target`, without a mapping:
   * the bytes read (fewer only at the end of the region) or `-errno`.
   */
  regionReadAt(fd: number, target: Uint8Array, offset: number, length: number): number;

  /** Cold. A new eventfd, unreadable; for two sides that trust each other, or of which only one rings. */
  doorbellCreate(): number;
  /**
   * Cold. A doorbell as a pipe: [the end to listen at, the end to ring]. Ringing never blocks, whatever
   * the holder of the listening end does; with an eventfd he could make it block.
   */
  doorbellPair(): [number, number];
  /** Hot. Makes it readable: 0, or `-errno`. */
  doorbellRing(fd: number): number;
  /** Hot. Makes it unreadable: 1 if it had been rung, 0 if not, or `-errno`. */
  doorbellClear(fd: number): number;

  /** Cold. See `watch` of watch.ts. */
  watch(
    fd: number,
    events: number,
    clear: boolean,
    ref: boolean,
    callback: (events: number) => void,
    owned: readonly number[] | null,
  ): number;
  /** Cold. Other events for a watcher; 0 pauses it. */
  watchChange(handle: number, events: number): void;
  /** Cold. Whether the watcher keeps the event loop alive. */
  watchRef(handle: number, ref: boolean): void;
  /** Cold. Ends a watcher; must come before its descriptor is closed. */
  unwatch(handle: number): void;
  /**
   * Cold. The descriptor behind this thread's event loop, readable when the loop has something to do
   * (messages, sockets, the thread's end; not timers). A thread that blocks in `pollerWait` adds it to
   * its poller, so that it notices `postMessage` and `worker.terminate()`. Never read or close it.
   */
  eventLoopFd(): number;

  /** Cold. A new epoll instance. */
  pollerCreate(): number;
  /** Cold. `events` is a mask of POLL_*; `tag` (32 bits) comes back with each event. */
  pollerAdd(poller: number, fd: number, tag: number, events: number): void;
  /** Cold. Replaces tag and events. */
  pollerModify(poller: number, fd: number, tag: number, events: number): void;
  /** Cold. */
  pollerRemove(poller: number, fd: number): void;
  /**
   * Hot. Blocks the thread for up to `timeoutMicros` (-1: for ever, 0: not at all) and writes pairs (tag,
   * events) to `out`: the number of pairs, 0 after the time or a signal, or `-errno`. At most 256 at once.
   */
  pollerWait(poller: number, out: Int32Array, eventsMax: number, timeoutMicros: number): number;

  /** Cold. Listens at a numeric IPv4 or IPv6 address; port 0 lets the kernel choose. */
  tcpListen(host: string, port: number, backlog: number): number;
  /** Cold. Starts to connect to a numeric address; once writable, ask `socketConnected`. */
  tcpConnect(host: string, port: number): number;
  /** Cold. See `tcpTune` of tcp-options.ts; a negative number leaves an option alone. */
  tcpTune(
    fd: number,
    noDelay: number,
    sendBytes: number,
    receiveBytes: number,
    keepAliveSeconds: number,
    userTimeoutMs: number,
    unsentBytesMax: number,
  ): void;

  /**
   * Cold. Listens at a path that must not exist (EADDRINUSE), with exactly the permission bits of `mode`.
   * `type` is SOCKET_SEQPACKET or SOCKET_STREAM. Closing does not remove the path.
   */
  unixListen(path: string, type: number, backlog: number, mode: number): number;
  /** Cold. Connected when it returns; EAGAIN while the listener's backlog is full. */
  unixConnect(path: string, type: number): number;
  /** Cold. Two connected sockets. */
  unixPair(type: number): [number, number];
  /** Cold. */
  socketPeerCredentials(fd: number): PeerCredentials;

  /** Hot. The next connection, non-blocking: its descriptor or `-errno` (`-EAGAIN`: none now). */
  socketAccept(fd: number): number;
  /** Hot. Takes the pending error: 0 or `-errno`. */
  socketError(fd: number): number;
  /** Hot. 0 when connected, `-EINPROGRESS` while connecting, else why it failed. */
  socketConnected(fd: number): number;
  /** Hot. Half-close: what is queued is still sent, then the peer sees the end. 0 or `-errno`. */
  socketShutdown(fd: number): number;
  /** Cold. The local port of a TCP socket. */
  socketPort(fd: number): number;
  /** Cold. The local address: `host:port`, `[host]:port` or `unix:path`. */
  socketName(fd: number): string;
  /** Cold. The peer's address, in the same form. */
  socketPeer(fd: number): string;

  /**
   * Hot. Sends one message and up to 16 descriptors, which stay open here: bytes or `-errno`. A
   * SOCKET_SEQPACKET message is sent whole or not at all; it must not be empty.
   */
  sendMessage(fd: number, source: Uint8Array, fds: readonly number[] | null): number;
  /**
   * Hot. Receives one message: bytes, 0 when the peer has closed, or `-errno`. `fdsOut[0]` is the number
   * of descriptors that came with it, close-on-exec, and they follow. A message or descriptors that do
   * not fit are dropped: `-EMSGSIZE`, nothing stays open.
   */
  receiveMessage(fd: number, target: Uint8Array, fdsOut: Int32Array): number;

  /** Hot. Bytes written, or `-errno` (`-EAGAIN`: full; `-EINVAL`: outside the buffer). */
  socketWrite(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  /** Hot. Bytes read, END_OF_STREAM, or `-errno`. */
  socketRead(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  /** Hot. Span `i` is `spans[2i]` (offset) and `spans[2i+1]` (length) of `buffers[i]`; at most SPANS_MAX. */
  socketWritev(
    fd: number,
    buffers: readonly ArrayBuffer[],
    spans: Int32Array,
    count: number,
  ): number;
  /** Hot. The same, into the spans. */
  socketReadv(
    fd: number,
    buffers: readonly ArrayBuffer[],
    spans: Int32Array,
    count: number,
  ): number;
  /**
   * Hot. `socketWritev` for many spans of few buffers: span `i` is `spans[3i]` (index into `buffers`),
   * `spans[3i+1]` (offset) and `spans[3i+2]` (length). A span costs 1-2 ns, a buffer about 65.
   */
  socketGather(
    fd: number,
    buffers: readonly ArrayBuffer[],
    bufferCount: number,
    spans: Int32Array,
    count: number,
  ): number;
  /** Hot. The same, into the spans. */
  socketScatter(
    fd: number,
    buffers: readonly ArrayBuffer[],
    bufferCount: number,
    spans: Int32Array,
    count: number,
  ): number;

  /**
   * Cold. From now on every descriptor that a function of this thread opens has its bit set in `bits` (bit
   * `fd % 32` of word `fd / 32`; none for descriptors beyond its end) until `closeFd` of this thread. Over
   * shared memory, another thread knows what is left open when this one ends.
   */
  descriptorLedger(bits: Int32Array): void;
  /** Cold. */
  closeFd(fd: number): void;
  /** Cold. A second descriptor for the same file, close-on-exec. */
  duplicateFd(fd: number): number;
  /**
   * Cold. Takes the lock of an open file (flock), without waiting: 1 when this opening of the file has it,
   * 0 when another has. It lasts until the last descriptor of the opening is closed, in whatever process,
   * so it can be sent to another one.
   */
  lockFile(fd: number): number;
  /** Hot. CLOCK_MONOTONIC, the same for all processes of the host. */
  monotonicMicros(): number;
  /** Hot. Processor time that this thread has used. */
  threadCpuMicros(): number;
  /** Hot. Processor time that this process has used. */
  processCpuMicros(): number;
  /** Cold. Ties the calling thread to processors. */
  setAffinity(cpus: readonly number[]): void;
  /** Hot. Lets other threads that are runnable on this processor go first; 0. */
  threadYield(): number;
  /** Cold (reads a file of /proc). Threads of the machine that run or could run now, this one included. */
  runnableThreads(): number;
  /** Cold. `errnoName(-104)` and `errnoName(104)` are "ECONNRESET". */
  errnoName(errno: number): string;
}
