/** The configuration at the admin socket: applying koala.toml again, and the revisions of what runs. */
import type { PolicySpec } from "./policies.ts";

/** Body of `POST /v1/config/apply`: reads koala.toml again. */
export interface ApplyConfigRequest {
  dryRun?: boolean;
  /** Drops what was attached, detached and set by hand: the file alone counts. */
  reset?: boolean;
}

/** Body of `POST /v1/config/rollback`. */
export interface RollbackConfigRequest {
  revision: number;
  dryRun?: boolean;
}

/** One successful change. */
export interface RevisionSummary {
  revision: number;
  /** ISO 8601. */
  time: string;
  /** Who has made it; uid and pid are -1 for the daemon itself (start, SIGHUP). */
  who: { uid: number; pid: number; via: string };
  /** `attach acl`, `apply koala.toml`. */
  summary: string;
  /** Policies after it. */
  policies: number;
  isCurrent: boolean;
}

/** Answer of `GET /v1/config/history`, newest first. */
export interface HistoryAnswer {
  revisions: RevisionSummary[];
}

/** Answer of `GET /v1/config/diff?from=3&to=5`; without `to` the current one, without `from` the one before `to`. */
export interface DiffAnswer {
  from: number;
  to: number;
  /** Unified, without file headers: lines that start with a space, `-` or `+`. */
  lines: string[];
}

/** The whole of a revision, as it is kept in `<prefix>/revisions/`. */
export interface Revision extends Omit<RevisionSummary, "isCurrent" | "policies"> {
  policies: PolicySpec[];
}
