/** What makes TypeScript of .proto files here: buf where it is installed, else protoc. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { KoalaError } from "@koala/interface";
import { findInPath } from "../daemon-program.ts";
import { usageError } from "../exit-code.ts";
import { generatedFolder, generatorOptions, protoFolder } from "./template.ts";

/** A tool, ready to run in the project's folder. */
export interface Generator {
  readonly tool: "buf" | "protoc";
  readonly command: string;
  readonly args: readonly string[];
  /** PATH for it: plug-ins that the project has installed come first. */
  readonly path: string;
  /** Folders whose .proto files it reads, below the project's. */
  readonly inputs: readonly string[];
  /** Good to know, if there is something. */
  readonly note?: string;
}

const template = "buf.gen.yaml";
const plugin = "protoc-gen-es";
const install = "npm install --save-dev @bufbuild/buf @bufbuild/protoc-gen-es";

/**
 * Chooses the tool.
 *
 * @throws KoalaError `ERR_CTL_USAGE` when there is nothing to generate from, `ERR_CTL_GENERATOR` when there
 * is no tool, with the command that installs one
 */
export function findGenerator(folder: string, env: NodeJS.ProcessEnv): Generator {
  const hasTemplate = existsSync(join(folder, template));
  const hasProtos = existsSync(join(folder, protoFolder));
  if (!hasTemplate && !hasProtos) {
    throw usageError(
      `nothing to generate from: ${folder} has neither ${template} nor ${protoFolder}/; \`koalactl init\` writes both`,
    );
  }
  const path = [...binFolders(folder), env["PATH"] ?? ""].join(delimiter);
  const buf = findInPath("buf", path);
  const protoc = findInPath("protoc", path);
  if (buf === undefined && protoc === undefined) {
    throw noTool(`neither buf nor protoc is in node_modules/.bin or in PATH: ${install}`);
  }
  return buf === undefined
    ? protocGenerator(protoc!, folder, path, hasTemplate)
    : bufGenerator(buf, folder, path, hasTemplate);
}

function bufGenerator(
  command: string,
  folder: string,
  path: string,
  hasTemplate: boolean,
): Generator {
  const text = hasTemplate ? readFileSync(join(folder, template), "utf8") : plugin;
  if (text.includes(plugin)) requirePlugin(path);
  const args = ["generate", ...(hasTemplate ? [] : ["--template", defaultTemplate()])];
  return { tool: "buf", command, args, path, inputs: hasTemplate ? inputsOf(text) : [protoFolder] };
}

/** The template of `koalactl init`; buf takes JSON as well. */
function defaultTemplate(): string {
  return JSON.stringify({
    version: "v2",
    inputs: [{ directory: protoFolder }],
    plugins: [{ local: plugin, out: generatedFolder, opt: generatorOptions }],
  });
}

/** Folders that a template names; the whole project when it names none, as buf has it. */
function inputsOf(text: string): string[] {
  const found = [...text.matchAll(/^\s*(?:-\s+)?directory:\s*["']?([^"'#\s]+)/gm)];
  const folders = found.map(([, folder]) => folder!);
  return folders.length > 0 ? folders : ["."];
}

function protocGenerator(
  command: string,
  folder: string,
  path: string,
  hasTemplate: boolean,
): Generator {
  const files = protosBelow(join(folder, protoFolder));
  if (files.length === 0) {
    throw usageError(`nothing to generate from: no .proto file below ${join(folder, protoFolder)}`);
  }
  // protoc does not make the folder.
  mkdirSync(join(folder, generatedFolder), { recursive: true });
  const args = [
    `--plugin=${plugin}=${requirePlugin(path)}`,
    `--proto_path=${protoFolder}`,
    `--es_out=${generatedFolder}`,
    `--es_opt=${generatorOptions.join(",")}`,
    ...files,
  ];
  const note = `protoc does not read ${template}: from ${protoFolder}/ to ${generatedFolder}/, with ${plugin}`;
  return {
    ...{ tool: "protoc", command, args, path, inputs: [protoFolder] },
    ...(hasTemplate ? { note } : {}),
  };
}

/** Paths from `folder` on. */
function protosBelow(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".proto")).sort();
}

function requirePlugin(path: string): string {
  const found = findInPath(plugin, path);
  if (found !== undefined) return found;
  throw noTool(
    `${plugin} is neither in node_modules/.bin nor in PATH: npm install --save-dev @bufbuild/${plugin}`,
  );
}

function noTool(text: string): KoalaError {
  return new KoalaError("ERR_CTL_GENERATOR", text);
}

/** `node_modules/.bin` of a folder and of those around it, as npm looks for programs. */
function binFolders(folder: string): string[] {
  const above = dirname(folder);
  const own = join(folder, "node_modules", ".bin");
  return above === folder ? [own] : [own, ...binFolders(above)];
}
