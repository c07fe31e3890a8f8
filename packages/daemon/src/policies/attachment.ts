/** An attached policy as the main thread has it: its code, its memory, and its part that runs here. */
import { KoalaError, messageOf } from "@koala/interface";
import type { ControlPart, PolicyDefinition } from "@koala/policy";
import type { PolicyConfig } from "../config/index.ts";
import type { AreaLog } from "../log/index.ts";
import type { PolicyModule } from "../modules/index.ts";
import type { FileTexts } from "./config-files.ts";
import type { PlannedPolicy } from "./runtime-plan.ts";

/** A control part that has not started or ended by then is given up. */
const controlDeadlineMs = 10_000;
const sharedBytesMax = 1024 ** 3;

export interface Attachment {
  /** Positive, unique while the daemon runs; other than before when the instances start anew. */
  readonly id: number;
  readonly policy: PolicyConfig;
  readonly module: PolicyModule;
  /** What the policy's type made of its table. */
  readonly config: unknown;
  /** What was in the files that its table names. */
  readonly files: FileTexts;
  readonly shared: SharedArrayBuffer;
  /** Undefined when the policy has none, or is not enabled. */
  control: ControlPart | undefined;
  /** By runtime: why the policy is out of service there. */
  readonly failures: Map<number, string>;
}

/** What was in the files that the tables of all of them name. */
export function filesOf(attachments: readonly Attachment[]): FileTexts {
  return Object.assign({}, ...attachments.map(({ files }) => files)) as FileTexts;
}

/** What a runtime needs to know of an attachment. */
export function plannedFor(attachment: Attachment, runtime: number): PlannedPolicy {
  const { id, policy, module, files, shared, failures } = attachment;
  return {
    id,
    name: policy.name,
    path: module.compiled.path,
    config: policy.config,
    files,
    selector: policy.match,
    onFailure: policy.onFailure,
    budgetMicros: policy.budgetMicros,
    shared,
    failure: failures.get(runtime) ?? "",
  };
}

/** How much memory the instances share. Throws ERR_POLICY_START when the policy gives no sensible number. */
export function sharedBytesOf(
  definition: PolicyDefinition,
  config: unknown,
  runtimes: number,
): number {
  const fail = (text: string, cause?: unknown): never => {
    throw new KoalaError("ERR_POLICY_START", `policy ${definition.name}: ${text}`, { cause });
  };
  let bytes = 0;
  try {
    bytes = definition.sharedBytes?.(config, runtimes) ?? 0;
  } catch (error) {
    fail(`sharedBytes threw: ${messageOf(error)}`, error);
  }
  const isSensible = Number.isInteger(bytes) && bytes >= 0 && bytes <= sharedBytesMax;
  return isSensible
    ? bytes
    : fail(`sharedBytes answered ${bytes}, expected 0 to ${sharedBytesMax}`);
}

export interface ControlStart {
  readonly attachment: Attachment;
  readonly runtimes: number;
  /** Name of this daemon. */
  readonly host: string;
  readonly log: AreaLog;
}

/** Starts the part of a policy that runs in the main thread. Throws ERR_POLICY_CONTROL. */
export async function startControl(start: ControlStart): Promise<ControlPart | undefined> {
  const { attachment, runtimes, host, log } = start;
  const { policy, module, config, shared } = attachment;
  const { definition } = module;
  if (definition.control === undefined || !policy.enabled) return undefined;
  const { name } = policy;
  try {
    const warn = (message: string, fields: object = {}): void =>
      log.warn(message, { policy: name, ...fields });
    const context = { name, config, shared, runtimes, host, warn };
    const starting = Promise.resolve(definition.control(context));
    return await within(starting, "it has not started", () => {
      // Nobody waits for it any more, so it must not stay when it comes.
      starting.then((part) => part.close()).catch(() => {});
    });
  } catch (cause) {
    throw new KoalaError(
      "ERR_POLICY_CONTROL",
      `policy "${name}": its control part can't start: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Ends the control part, if there is one; what it throws is in the log. */
export async function closeControl(attachment: Attachment, log: AreaLog): Promise<void> {
  const { control, policy } = attachment;
  attachment.control = undefined;
  try {
    if (control !== undefined) await within(control.close(), "it has not ended", () => {});
  } catch (error) {
    log.warn("a control part can't close", { policy: policy.name, reason: messageOf(error) });
  }
}

async function within<T>(work: T | Promise<T>, lateText: string, onLate: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate();
      reject(new Error(`${lateText} within ${controlDeadlineMs} ms`));
    }, controlDeadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
