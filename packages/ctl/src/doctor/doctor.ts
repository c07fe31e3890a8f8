/** `koalactl doctor`: everything that has to be right for Koala to work here, one line each. */
import { resolve } from "node:path";
import { KoalaError } from "@koala/interface";
import type { Output } from "../output.ts";
import { printable, type Tone } from "../table.ts";
import { checkConfig, checkPorts, defaultConfig } from "./config-checks.ts";
import { askDaemon, checkDaemon } from "./daemon-checks.ts";
import { type FindingGroup, type Verdict, worstOf } from "./finding.ts";
import { checkKernel } from "./kernel-checks.ts";
import { checkLimits, readMachineLimits } from "./limit-checks.ts";
import { checkPrefix } from "./prefix-checks.ts";

/** What to look at. */
export interface Patient {
  /** Folder of the project; `koala.toml` in it is the configuration unless one is named. */
  readonly folder: string;
  readonly config: string | undefined;
  /** The prefix where the flag or the variable gives one: it wins over the configuration's. */
  readonly givenPrefix: string | undefined;
  /** The prefix that holds when nobody says anything. */
  readonly defaultPrefix: string;
  /** Of koalactl. */
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
}

/** `limits.apps` where the configuration can't be read. */
const appsDefault = 1024;

/** Makes all checks. Nothing is changed; a port is taken for a moment. */
export async function examine(patient: Patient): Promise<FindingGroup[]> {
  const { folder, givenPrefix, env, version } = patient;
  const config = patient.config ?? defaultConfig(resolve(folder, "koala.toml"));
  const { findings, facts } = await checkConfig(
    { folder, config, prefix: givenPrefix, env },
    version,
  );
  const prefix = resolve(folder, facts?.prefix ?? givenPrefix ?? patient.defaultPrefix);
  const answer = await askDaemon(prefix);
  const pid = answer instanceof KoalaError ? "self" : answer.pid;
  return [
    { title: "node and kernel", findings: await checkKernel() },
    {
      title: "limits",
      findings: checkLimits(readMachineLimits(pid), facts?.apps ?? appsDefault),
    },
    {
      title: "configuration",
      findings: [...findings, ...(await checkPorts(facts?.ports ?? [], answer))],
    },
    { title: `prefix ${prefix}`, findings: checkPrefix(prefix) },
    { title: "daemon", findings: await checkDaemon(prefix, answer, version) },
  ];
}

const tones: Readonly<Record<Verdict, Tone>> = { ok: "good", warning: "title", problem: "bad" };

/** Prints what was found; returns whether there is no problem. */
export function printFindings(groups: readonly FindingGroup[], output: Output): boolean {
  const worst = worstOf(groups);
  if (output.format === "json") {
    output.json({ verdict: worst, groups });
    return worst !== "problem";
  }
  const width = Math.max(
    ...groups.flatMap(({ findings }) => findings.map(({ check }) => check.length)),
  );
  for (const { title, findings } of groups) {
    output.line(output.paint("title", printable(title)));
    for (const { check, verdict, text, fix } of findings) {
      const [first = "", ...others] = text.split("\n");
      const mark = output.paint(tones[verdict], verdict.padEnd(7));
      output.line(`  ${mark}  ${check.padEnd(width)}  ${printable(first)}`);
      const indent = " ".repeat(width + 13);
      for (const line of others) if (line !== "") output.line(`${indent}${printable(line)}`);
      if (fix !== undefined) output.line(`${indent}fix: ${printable(fix)}`);
    }
  }
  output.line(`${count(groups, "problem")}, ${count(groups, "warning")}`);
  return worst !== "problem";
}

function count(groups: readonly FindingGroup[], verdict: Verdict): string {
  const all = groups.flatMap(({ findings }) => findings);
  const number = all.filter((finding) => finding.verdict === verdict).length;
  return `${number === 0 ? "no" : number} ${verdict}${number === 1 ? "" : "s"}`;
}
