/**
 * Who lets how many bytes of messages of streams wait. They share one limit: nobody gets more of it than is
 * still free, so whoever does not read leaves room for others, however many streams it has.
 */
import type { Party } from "../datapath/call.ts";
import type { Flow } from "./flow.ts";

export class WaitingShares {
  /** Of all flows. */
  total = 0;
  private readonly bytesMax: number;
  private readonly shares = new Map<Party, number>();
  private readonly flows = new Map<Flow, { party: Party | null; bytes: number }>();

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Whether so many bytes more may wait in a flow. */
  fits(flow: Flow, bytes: number): boolean {
    const party = this.flows.get(flow)?.party ?? debtorOf(flow);
    const share = party === null ? 0 : (this.shares.get(party) ?? 0);
    return share + bytes <= this.bytesMax - this.total;
  }

  /** So many bytes more wait in a flow; less, below 0. */
  add(flow: Flow, bytes: number): void {
    if (bytes === 0) return;
    let entry = this.flows.get(flow);
    if (entry === undefined) {
      entry = { party: debtorOf(flow), bytes: 0 };
      this.flows.set(flow, entry);
    }
    entry.bytes += bytes;
    this.total += bytes;
    this.charge(entry.party, bytes);
    if (entry.bytes === 0) this.flows.delete(flow);
  }

  /** Nothing waits in a flow any more. */
  drop(flow: Flow): void {
    const entry = this.flows.get(flow);
    if (entry === undefined) return;
    this.flows.delete(flow);
    this.total -= entry.bytes;
    this.charge(entry.party, -entry.bytes);
  }

  private charge(party: Party | null, bytes: number): void {
    if (party === null) return;
    const share = (this.shares.get(party) ?? 0) + bytes;
    if (share === 0) this.shares.delete(party);
    else this.shares.set(party, share);
  }
}

/** Whom it is up to that messages wait: the receiver, or the sender as long as there is none. */
function debtorOf(flow: Flow): Party | null {
  return flow.hasStarted || !flow.toCallee ? (flow.receiver ?? flow.sender) : flow.sender;
}
