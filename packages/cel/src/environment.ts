/** What the names in an expression mean. */
import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf";
import type { Type } from "./type.ts";

export interface Environment {
  readonly variables: Readonly<Record<string, Type>>;
  /** The protobuf package whose names may be written without it. */
  readonly container?: string;
}

/** Whether there are messages that nothing is known of, and so enums. */
export function hasUnknown({ variables }: Environment): boolean {
  return Object.values(variables).some(({ kind }) => kind === "error");
}

const valuesOfFiles = new WeakMap<DescFile, ReadonlyMap<string, number>>();

/** Number of the enum value with this name, full or from the container on; undefined when there is none. */
export function enumValue(environment: Environment, name: string): number | undefined {
  for (const file of filesOf(environment)) {
    const values = valuesOf(file);
    for (const candidate of candidates(environment.container ?? "", name)) {
      const value = values.get(candidate);
      if (value !== undefined) return value;
    }
  }
  return undefined;
}

/** From the innermost package outwards. */
function candidates(container: string, name: string): string[] {
  const parts = container === "" ? [] : container.split(".");
  const names: string[] = [];
  for (let n = parts.length; n > 0; n--) names.push(`${parts.slice(0, n).join(".")}.${name}`);
  return [...names, name];
}

/** The files that declare the messages of the variables, and all that these import. */
function filesOf(environment: Environment): Set<DescFile> {
  const files = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const dependency of file.dependencies) visit(dependency);
  };
  for (const type of Object.values(environment.variables)) {
    if (type.kind === "message") visit(type.desc.file);
  }
  return files;
}

function valuesOf(file: DescFile): ReadonlyMap<string, number> {
  let values = valuesOfFiles.get(file);
  if (values === undefined) {
    const found = new Map<string, number>();
    const addEnum = (desc: DescEnum): void => {
      for (const { name, number } of desc.values) found.set(`${desc.typeName}.${name}`, number);
    };
    const addMessage = (desc: DescMessage): void => {
      desc.nestedEnums.forEach(addEnum);
      desc.nestedMessages.forEach(addMessage);
    };
    file.enums.forEach(addEnum);
    file.messages.forEach(addMessage);
    values = found;
    valuesOfFiles.set(file, values);
  }
  return values;
}
