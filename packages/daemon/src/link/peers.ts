/**
 * The links of one runtime: connects to configured peers and stays connected, takes what peers have
 * connected to this daemon, and tells the router and the operator what is up.
 */
import type { Connection, Transport } from "@koala/interface";
import { messageOf } from "@koala/interface";
import {
  closeFd,
  EINPROGRESS,
  errnoName,
  POLL_EDGE,
  POLL_ERR,
  POLL_HUP,
  POLL_IN,
  POLL_OUT,
  POLL_RDHUP,
} from "@koala/native";
import type { EventFields, ServiceOffer } from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import type { LinkSituation } from "../datapath/refusals.ts";
import type { EmitEvent } from "../events/event-source.ts";
import type { AreaLog } from "../log/index.ts";
import type { Closures } from "../worker/closures.ts";
import type { PeerAddress } from "../worker/commands.ts";
import type { EpollWaiter } from "../worker/epoll-waiter.ts";
import type { LinkStatus } from "../worker/status.ts";
import type { Link } from "./link.ts";
import type { LinkOptions, SharedLinkOptions } from "./link-options.ts";
import type { LinkState, PeerLinkState } from "./link-state.ts";

export interface PeersOptions {
  runtimeIndex: number;
  runtime: Runtime;
  waiter: EpollWaiter;
  transport: Transport;
  log: AreaLog;
  emitEvent: EmitEvent;
  closures: Closures;
  connectTimeoutMs: number;
  reconnectMinMs: number;
  reconnectMaxMs: number;
  linksMax: number;
  /** What all links share. */
  link: SharedLinkOptions;
  offers: () => ServiceOffer[];
  /** Makes links; by the code that is in use now. */
  createLink: (options: LinkOptions) => Link;
}

interface Entry {
  readonly address: string;
  readonly outgoing: boolean;
  link: Link | null;
  state: LinkStatus["state"];
  since: number;
  problem: string;
}

interface Peer extends Entry {
  readonly host: string;
  readonly port: number;
  readonly timer: Timer;
  fd: number;
  pauseMs: number;
  attempts: number;
}

export class Peers implements LinkSituation {
  private readonly options: PeersOptions;
  private readonly peers: Peer[] = [];
  private readonly incoming = new Set<Entry>();
  private stopped = false;

  constructor(options: PeersOptions) {
    this.options = options;
  }

  /** Starts to connect to a peer, and does so again whenever the link is lost. */
  add(address: PeerAddress): void {
    const peer = this.createPeer(address);
    this.peers.push(peer);
    this.connect(peer);
  }

  private createPeer({ label, host, port }: PeerAddress): Peer {
    const peer: Peer = {
      address: label,
      outgoing: true,
      host,
      port,
      link: null,
      state: "connecting",
      since: Date.now(),
      problem: "",
      fd: -1,
      pauseMs: this.options.reconnectMinMs,
      attempts: 0,
      timer: new Timer(() => this.onTimer(peer)),
    };
    return peer;
  }

  /** The links with what else is known of them; `save` gives the state of each. */
  save(save: (link: Link) => LinkState): PeerLinkState[] {
    return this.all().flatMap(({ address, outgoing, since, state, link }) =>
      link === null ? [] : [{ address, outgoing, since, isUp: state === "up", link: save(link) }],
    );
  }

  /**
   * Takes a link that goes on where another one stopped; it waits for `Link.resume`. `configured`: the
   * peer that it leads to, to connect to it again when the link is lost.
   */
  adopt(saved: PeerLinkState, configured: PeerAddress | undefined): Link {
    const connection = this.options.transport.adopt(saved.link.fd);
    const { address, since } = saved;
    const state = saved.isUp ? "up" : "handshake";
    const known = { address, link: null, state, since, problem: "" } as const;
    let entry: Entry;
    if (configured === undefined) {
      entry = { ...known, outgoing: saved.outgoing };
      this.incoming.add(entry);
    } else {
      const peer = this.createPeer(configured);
      entry = Object.assign(peer, { state, since, attempts: 1 });
      this.peers.push(peer);
    }
    return this.openLink(entry, connection, saved.link);
  }

  /** Takes a connection that a peer has opened. */
  accept(fd: number): void {
    const { transport, linksMax, log } = this.options;
    if (this.incoming.size + this.peers.length >= linksMax || this.stopped) {
      const reason = `links = ${linksMax} in [limits] are open`;
      log.warn("link refused", { reason });
      this.options.emitEvent("link", "refused", { reason });
      closeFd(fd);
      return;
    }
    const connection = transport.adopt(fd);
    const entry: Entry = {
      address: connection.remote,
      outgoing: false,
      link: null,
      state: "handshake",
      since: Date.now(),
      problem: "",
    };
    this.incoming.add(entry);
    this.open(entry, connection);
  }

  /** This host's services have changed. A link that is not up yet has said in its HELLO what there was then. */
  announce(): void {
    for (const { link } of this.all()) link?.announce();
  }

  links(): Link[] {
    return this.all().flatMap(({ link }) => (link === null ? [] : [link]));
  }

  /** Another object goes on with the connection of a link; false when there is no such link. */
  replace(before: Link, after: Link): boolean {
    const entry = this.all().find(({ link }) => link === before);
    if (entry !== undefined) entry.link = after;
    return entry !== undefined;
  }

  firstAttempts(): number {
    return this.peers.filter(
      (peer) => peer.attempts <= 1 && peer.problem === "" && peer.state !== "up",
    ).length;
  }

  problems(): string[] {
    return this.peers
      .filter((peer) => peer.state !== "up")
      .map((peer) => {
        const seconds = ((Date.now() - peer.since) / 1000).toFixed(1);
        const why = peer.problem === "" ? "" : ` (${peer.problem})`;
        return `peer ${peer.address} is not connected since ${seconds} s${why}`;
      });
  }

  status(): LinkStatus[] {
    return this.all().map(({ address, outgoing, link, state, since, problem }) => ({
      runtime: this.options.runtimeIndex,
      address,
      direction: outgoing ? "outgoing" : "incoming",
      state: link?.draining === true ? "draining" : state,
      peer: link?.peer?.name ?? "",
      since: new Date(since).toISOString(),
      bytesIn: link?.bytesIn ?? 0,
      bytesOut: link?.bytesOut ?? 0,
      calls: link?.calls.streams.size ?? 0,
      parked: link?.parkedCount ?? 0,
      problem,
      services: [...(link?.services() ?? [])],
    }));
  }

  /** Closes all links and connects no more. */
  close(): void {
    this.stopped = true;
    for (const peer of this.peers) {
      this.options.runtime.timers.clear(peer.timer);
      this.dropAttempt(peer);
    }
    for (const link of this.links()) link.close("this daemon stops");
  }

  private all(): Entry[] {
    return [...this.peers, ...this.incoming];
  }

  private connect(peer: Peer): void {
    const { transport, waiter, runtime, connectTimeoutMs } = this.options;
    peer.attempts++;
    if (peer.state !== "connecting") this.setState(peer, "connecting");
    try {
      peer.fd = transport.connect(peer.host, peer.port);
    } catch (error) {
      this.failed(peer, messageOf(error));
      return;
    }
    runtime.timers.set(peer.timer, runtime.nowMs + connectTimeoutMs);
    waiter.add(peer.fd, POLL_OUT | POLL_EDGE, () => this.onConnectable(peer));
  }

  private onConnectable(peer: Peer): void {
    const { transport, waiter } = this.options;
    const error = transport.connected(peer.fd);
    if (error === -EINPROGRESS) return;
    waiter.remove(peer.fd);
    if (error < 0) {
      closeFd(peer.fd);
      peer.fd = -1;
      this.failed(peer, errnoName(error));
      return;
    }
    const { fd } = peer;
    peer.fd = -1;
    this.setState(peer, "handshake");
    // The timer goes on: it ends a handshake that takes too long, too.
    this.open(peer, transport.adopt(fd));
  }

  private onTimer(peer: Peer): void {
    if (peer.state === "down") this.connect(peer);
    else if (peer.link !== null) peer.link.close("the handshake took too long");
    else {
      this.dropAttempt(peer);
      this.failed(peer, "no answer in time");
    }
  }

  private dropAttempt(peer: Peer): void {
    if (peer.fd < 0) return;
    this.options.waiter.remove(peer.fd);
    closeFd(peer.fd);
    peer.fd = -1;
  }

  private failed(peer: Peer, problem: string): void {
    const { runtime, log, reconnectMaxMs } = this.options;
    if (peer.problem !== problem) {
      log.warn("peer not reached", { peer: peer.address, problem });
      this.options.emitEvent("link", "unreachable", { address: peer.address, reason: problem });
    }
    peer.problem = problem;
    peer.state = "down";
    if (this.stopped) return;
    runtime.timers.set(peer.timer, runtime.nowMs + peer.pauseMs);
    // Up to a quarter more, so that daemons that were cut off together do not come back together.
    peer.pauseMs = Math.min(reconnectMaxMs, peer.pauseMs * 2 * (1 + Math.random() / 4));
    this.options.link.router.routesChanged();
  }

  private open(entry: Entry, connection: Connection): void {
    this.options.runtime.activate(this.openLink(entry, connection));
  }

  private openLink(entry: Entry, connection: Connection, saved?: LinkState): Link {
    const { waiter, offers, link: shared, createLink } = this.options;
    const link = createLink({
      ...shared,
      connection,
      offers,
      reach: "siblings",
      ...(saved === undefined ? {} : { saved }),
      onUp: (up) => this.onUp(entry, up),
      onDown: (_, reason) => this.onDown(entry, connection, reason),
    });
    entry.link = link;
    const events = POLL_IN | POLL_OUT | POLL_RDHUP | POLL_EDGE;
    waiter.add(connection.fd, events, (ready) => {
      const ended = (ready & (POLL_RDHUP | POLL_HUP | POLL_ERR)) !== 0;
      entry.link?.onReady((ready & POLL_IN) !== 0, ended);
    });
    return link;
  }

  private onUp(entry: Entry, link: Link): void {
    const { log, runtime } = this.options;
    if (daemonOf(link.peer?.instance ?? "") === daemonOf(this.options.link.self.instance)) {
      link.close("it leads to this daemon itself; remove the [[peer]] from koala.toml");
      return;
    }
    this.setState(entry, "up");
    entry.problem = "";
    if (isPeer(entry)) {
      entry.pauseMs = this.options.reconnectMinMs;
      runtime.timers.clear(entry.timer);
    }
    log.info("link up", { peer: link.peer?.name, address: entry.address });
    this.options.emitEvent("link", "up", linkFacts(entry, link.peer?.name ?? ""));
  }

  private onDown(entry: Entry, connection: Connection, reason: string): void {
    const { waiter, log, closures } = this.options;
    waiter.remove(connection.fd);
    connection.close();
    const peer = entry.link?.peer?.name ?? "";
    log.info("link down", { peer, address: entry.address, reason });
    closures.note("link", peer === "" ? entry.address : `${peer} at ${entry.address}`, "", reason);
    if (entry.state === "up")
      this.options.emitEvent("link", "down", { ...linkFacts(entry, peer), reason });
    else this.options.emitEvent("link", "refused", { ...linkFacts(entry, peer), reason });
    entry.link = null;
    if (isPeer(entry)) {
      entry.since = Date.now();
      this.failed(entry, reason);
    } else {
      this.incoming.delete(entry);
    }
  }

  private setState(entry: Entry, state: LinkStatus["state"]): void {
    entry.state = state;
    entry.since = Date.now();
  }
}

function linkFacts({ address, outgoing }: Entry, peer: string): EventFields {
  return { peer, address, direction: outgoing ? "outgoing" : "incoming" };
}

/** The runtimes of one daemon have instances that differ after the slash. */
function daemonOf(instance: string): string {
  return instance.split("/", 1)[0]!;
}

function isPeer(entry: Entry): entry is Peer {
  return "timer" in entry;
}
