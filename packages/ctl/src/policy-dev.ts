/**
 * `koalactl policy dev`: attaches a file, upgrades to it whenever it changes, and detaches it at the end.
 * What is wrong with the code is printed, and the daemon goes on with the version before.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { KoalaError } from "@koala/interface";
import type { ChangeAnswer, PolicySpec } from "@koala/protocol";
import { askAdmin, postAdmin } from "./admin-client.ts";
import type { Context } from "./context.ts";
import { followEvents, isEvent } from "./event-follow.ts";
import { usageError } from "./exit-code.ts";
import { watchFolderOf } from "./file-watch.ts";
import type { Output } from "./output.ts";
import { formatMicros } from "./quantity.ts";

/** What is to be worked on. */
export interface DevPolicy {
  readonly file: string;
  readonly name: string;
  /** Match, configuration and the like. */
  readonly parts: Omit<PolicySpec, "name" | "use">;
}

/** Refusals that a change of the file may put right: what is wrong with the module, and with the policy in it. */
const curable = /^ERR_(?:MODULE|POLICY)_/;
/** And of those the ones that it can't. */
const finalCodes = new Set(["ERR_MODULE_DIRECTORY", "ERR_MODULE_NAME"]);

/** Events that this command says itself. */
const ownNames = new Set(["attached", "detached", "upgraded", "reconfigured", "rematched"]);

/** Works until it is interrupted; rejects when the policy can't be attached at all. */
export async function runPolicyDev(policy: DevPolicy, context: Context): Promise<void> {
  const file = resolve(policy.file);
  if (!existsSync(file)) throw usageError(`there is no file ${file}`);
  const watch = watchFolderOf(file);
  const over = new AbortController();
  try {
    const dev = new DevSession({ ...policy, file }, context);
    await dev.begin();
    const signal = context.interrupted();
    context.output.note(
      `watching ${file}; Ctrl-C detaches ${policy.name}${dev.isAttached ? "" : " once it is attached"}`,
    );
    const told = dev.tellEvents(over.signal);
    while (await watch.changed(signal)) await dev.update();
    over.abort();
    await told;
    await dev.end();
  } finally {
    over.abort();
    watch.close();
  }
}

class DevSession {
  isAttached = false;
  private readonly policy: DevPolicy;
  private readonly prefix: string;
  private readonly output: Output;

  constructor(policy: DevPolicy, { prefix, output }: Context) {
    this.policy = policy;
    this.prefix = prefix;
    this.output = output;
  }

  /** Attaches the file, or goes on with what an earlier run has left attached. */
  async begin(): Promise<void> {
    const { policies } = await askAdmin(this.prefix, "/v1/policies");
    const { name, file } = this.policy;
    const known = policies.find((policy) => policy.name === name);
    if (known !== undefined && known.use !== file) {
      const text = `a policy called ${name} is attached already (${known.use}); choose another --name, or detach it`;
      throw usageError(text);
    }
    if (known === undefined) {
      await this.update();
      return;
    }
    this.isAttached = true;
    this.output.note(`${name} is attached already, going on with it`);
    const { parts } = this.policy;
    if (Object.keys(parts).length > 0) {
      await this.attempt(() => postAdmin(this.prefix, "/v1/policies/set", { name, ...parts }));
    }
    await this.update();
  }

  /** The file has changed, or is to be attached for the first time. */
  async update(): Promise<void> {
    const { name, file, parts } = this.policy;
    if (this.isAttached) {
      await this.attempt(() => postAdmin(this.prefix, "/v1/upgrade", { module: file }));
      return;
    }
    const policy: PolicySpec = { name, use: file, ...parts };
    this.isAttached = await this.attempt(() =>
      postAdmin(this.prefix, "/v1/policies/attach", { policy }),
    );
  }

  /** Detaches what `begin` has attached. */
  async end(): Promise<void> {
    const { name } = this.policy;
    if (!this.isAttached) return;
    this.print(await postAdmin(this.prefix, "/v1/policies/detach", { name }));
  }

  /** Prints what happens to the policy in the daemon: that it has thrown, for instance. */
  async tellEvents(signal: AbortSignal): Promise<void> {
    const query = { topic: "policy", last: "0" };
    try {
      for await (const event of followEvents({ prefix: this.prefix, query, signal })) {
        if (!isEvent(event) || event.fields["policy"] !== this.policy.name) continue;
        if (ownNames.has(event.name)) continue;
        const { policy: _, ...fields } = event.fields;
        const facts = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
        if (this.output.format === "json") this.output.json({ event });
        else this.output.note(`${this.policy.name} ${event.name}: ${facts.join(" ")}`);
      }
    } catch (error) {
      this.output.failure(error); // the next change of the file says whether the daemon is still there
    }
  }

  /** True when it worked. What can't be put right by changing the file is thrown, the rest printed. */
  private async attempt(change: () => Promise<ChangeAnswer>): Promise<boolean> {
    try {
      this.print(await change());
      return true;
    } catch (error) {
      if (!(error instanceof KoalaError)) throw error;
      const isCurable = curable.test(error.code) && !finalCodes.has(error.code);
      if (!isCurable && !this.isAttached) throw error;
      this.output.failure(error);
      return false;
    }
  }

  private print(answer: ChangeAnswer): void {
    if (this.output.format === "json") {
      this.output.json(answer);
      return;
    }
    const { changes, runtimes, notes } = answer;
    const pause = Math.max(0, ...runtimes.map((cost) => cost.pauseMicros));
    for (const { kind, policy, detail } of changes) {
      const what = `${this.output.paint("good", kind)} ${policy}${detail === "" ? "" : `  ${detail}`}`;
      this.output.line(`${what}  pause ${formatMicros(pause)}`);
    }
    for (const note of notes) this.output.note(note);
  }
}
