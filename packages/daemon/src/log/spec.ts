/**
 * The log specification: `info`, or `info,link=debug,app=off`. One level for all areas, and others for
 * single areas, in any order, separated by commas.
 */
import { KoalaError } from "@koala/interface";
import { accept, type Reading, refuse } from "../config/reading.ts";
import { didYouMean } from "../config/suggestion.ts";
import {
  isLevelName,
  isLogArea,
  type LevelName,
  type LogArea,
  levelNames,
  logAreas,
} from "./level.ts";

/** The level of every area. */
export type LogSpec = Readonly<Record<LogArea, LevelName>>;

/** Longer than any real specification: all areas with their levels are below 200 characters. */
const specLengthMax = 1024;

const levelList = `${levelNames.slice(0, -1).join(", ")} or ${levelNames.at(-1)}`;

/** What a specification looks like, to continue "must be …". */
export const logSpecExpected: string = `a level (${levelList}), or levels by area such as "info,link=debug"`;

/** Reads a specification; "" means `info`. Everything that is wrong with it is in the hint. */
export function readLogSpec(text: string): Reading<LogSpec> {
  if (text.length > specLengthMax) {
    return refuse(logSpecExpected, `It has more than ${specLengthMax} characters.`);
  }
  const entries = text.split(",").map((entry) => entry.trim());
  const byArea = new Map<LogArea, LevelName>();
  const problems: string[] = [];
  let general: LevelName | undefined;

  for (const entry of text.trim() === "" ? [] : entries) {
    const parts = entry.split("=").map((part) => part.trim().toLowerCase());
    const levelWord = parts.at(-1) ?? "";
    if (entry === "" || parts.length > 2) {
      problems.push(entry === "" ? "There is a comma too many." : `"${entry}" has two "=".`);
    } else if (parts.length === 1) {
      if (!isLevelName(levelWord)) problems.push(wrongLevel(levelWord));
      else if (general !== undefined)
        problems.push(`"${general}" and "${levelWord}" are both general.`);
      else general = levelWord;
    } else {
      const area = parts[0] ?? "";
      if (!isLogArea(area)) problems.push(wrongArea(area));
      else if (byArea.has(area)) problems.push(`Area "${area}" is given twice.`);
      if (!isLevelName(levelWord)) problems.push(wrongLevel(levelWord));
      else if (isLogArea(area)) byArea.set(area, levelWord);
    }
  }

  if (problems.length > 0) return refuse(logSpecExpected, problems.join(" "));
  return accept(specFrom(general ?? "info", byArea));
}

/**
 * Reads a specification that the environment or a command gave.
 *
 * @throws KoalaError `ERR_LOG_SPEC`, with `source` (for instance `KOALA_LOG`) in front.
 */
export function parseLogSpec(text: string, source: string): LogSpec {
  const reading = readLogSpec(text);
  if (reading.ok) return reading.value;
  throw new KoalaError(
    "ERR_LOG_SPEC",
    `${source} must be ${reading.expected}, found ${JSON.stringify(text.slice(0, 100))}. ${reading.hint}`,
  );
}

/** The specification as text, shortest first: what `parseLogSpec` reads back. */
export function formatLogSpec(spec: LogSpec): string {
  const counts = new Map<LevelName, number>();
  for (const area of logAreas) counts.set(spec[area], (counts.get(spec[area]) ?? 0) + 1);
  const [general] = [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best));
  const others = logAreas.filter((area) => spec[area] !== general);
  return [general, ...others.map((area) => `${area}=${spec[area]}`)].join(",");
}

function specFrom(general: LevelName, byArea: ReadonlyMap<LogArea, LevelName>): LogSpec {
  const level = (area: LogArea): LevelName => byArea.get(area) ?? general;
  return {
    daemon: level("daemon"),
    config: level("config"),
    control: level("control"),
    app: level("app"),
    service: level("service"),
    link: level("link"),
    runtime: level("runtime"),
    admin: level("admin"),
    policy: level("policy"),
  };
}

function wrongLevel(word: string): string {
  const near = didYouMean(word, levelNames);
  if (near === "" && isLogArea(word)) {
    return `"${word}" is an area: give it a level, as in "${word}=debug".`;
  }
  return `Unknown level "${word}".${near === "" ? ` Levels are ${levelList}.` : ` ${near}`}`;
}

function wrongArea(word: string): string {
  const near = didYouMean(word, logAreas);
  return `Unknown area "${word}".${near === "" ? ` Areas are ${logAreas.join(", ")}.` : ` ${near}`}`;
}
