/** What the admin socket answers to which request. Knows nothing of sockets. */
import { messageOf } from "@koala/interface";
import { type AdminAnswers, type AdminPath, type AdminRefusal, adminPaths } from "@koala/protocol";
import { type DaemonReport, schemaVersions, servicesAnswer, statusAnswer } from "./admin-report.ts";

/** Where the answers come from. */
export interface AdminBackend {
  /** The daemon and all its runtimes, now. A rejection becomes `503 ERR_ADMIN_STATUS`. */
  status(): Promise<DaemonReport>;
}

/** Status of HTTP and the object that becomes the body. */
export interface AdminAnswer {
  status: number;
  body: AdminAnswers[AdminPath] | AdminRefusal;
}

/** Answers a request; `target` is what stands in the request line. Never rejects. */
export async function answerRequest(
  backend: AdminBackend,
  method: string,
  target: string,
): Promise<AdminAnswer> {
  const url = URL.canParse(target, "http://admin") ? new URL(target, "http://admin") : undefined;
  const path = adminPaths.find((known) => known === url?.pathname);
  if (url === undefined || path === undefined) {
    const text = `there is no ${printable(target)} here; there are: ${adminPaths.join(", ")}`;
    return refusal(404, "ERR_ADMIN_PATH", text);
  }
  if (method !== "GET") {
    const text = `${method} ${path}: this socket only answers questions; use GET`;
    return refusal(405, "ERR_ADMIN_METHOD", text);
  }
  const service = url.searchParams.get("service") ?? "";
  if (path === "/v1/schema" && service === "") {
    const text = "say which service's schema: /v1/schema?service=geo.v1.Geo";
    return refusal(400, "ERR_ADMIN_QUERY", text);
  }
  let report: DaemonReport;
  try {
    report = await backend.status();
  } catch (error) {
    const text = `the daemon can't say how it is: ${messageOf(error)}; try again`;
    return refusal(503, "ERR_ADMIN_STATUS", text);
  }
  if (path === "/v1/schema") return schemaAnswer(report, service);
  return { status: 200, body: answerOf(path, report) };
}

/** An answer that says no. */
export function refusal(status: number, code: string, message: string): AdminAnswer {
  return { status, body: { code, message } };
}

function answerOf(
  path: Exclude<AdminPath, "/v1/schema">,
  report: DaemonReport,
): AdminAnswers[AdminPath] {
  const { runtimes } = report;
  switch (path) {
    case "/v1/status":
      return statusAnswer(report);
    case "/v1/services":
      return servicesAnswer(report);
    case "/v1/apps":
      return { apps: runtimes.flatMap((runtime) => runtime.apps) };
    case "/v1/links":
      return { links: runtimes.flatMap((runtime) => runtime.links) };
    case "/v1/bindings":
      return { bindings: runtimes.flatMap((runtime) => runtime.bindings) };
  }
}

function schemaAnswer(report: DaemonReport, service: string): AdminAnswer {
  const versions = schemaVersions(report, service);
  if (versions.length > 0) return { status: 200, body: { service, versions } };
  const elsewhere = servicesAnswer(report).services.filter((row) => row.service === service);
  const places = [...new Set(elsewhere.map((row) => row.where))].join(", ");
  const text =
    places === ""
      ? `nobody serves ${printable(service)}; /v1/services lists what there is`
      : `${printable(service)} is served by ${places} only: links carry no schemas, ask the daemon there`;
  return refusal(404, "ERR_ADMIN_SERVICE", text);
}

/** Text of a stranger inside a message for a person. */
function printable(text: string): string {
  const quoted = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
  return quoted.replace(/[\u007f-\u009f\u2028\u2029]/g, "?");
}
