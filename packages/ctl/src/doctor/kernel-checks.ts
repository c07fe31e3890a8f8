/**
 * What Koala needs of Node and of the kernel. Nothing is concluded from version numbers that can be tried:
 * each feature is used once, as the daemon uses it.
 */
import { release } from "node:os";
import { KoalaError, messageOf } from "@koala/interface";
import { type Finding, guarded, ok, problem } from "./finding.ts";

type Native = typeof import("@koala/native");

const nodeFloor = { major: 20, minor: 19 };
const regionBytes = 4096;

/** Node, the kernel, the addon and what it needs. */
export async function checkKernel(): Promise<Finding[]> {
  const findings = [checkNode(process.versions.node), checkPlatform(process.platform, release())];
  let native: Native;
  try {
    // Importing it loads it.
    native = await import("@koala/native");
  } catch (error) {
    return [...findings, addonProblem(error)];
  }
  const upgrade = "use Linux 5.1 or newer; in a container, allow the call in its seccomp profile";
  return [
    ...findings,
    ok("addon", "loads"),
    await guarded("sealed memory", () => trySeals(native), upgrade),
    await guarded("doorbells", () => tryDoorbells(native), upgrade),
    await guarded("descriptors", () => tryPassing(native), upgrade),
  ];
}

/** Whether this Node will do; `version` is as in `process.versions.node`. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const { major: majorMin, minor: minorMin } = nodeFloor;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) {
    return ok("node", `Node ${version}`);
  }
  const text = `Node ${version}, expected ${majorMin}.${minorMin} or newer`;
  return problem("node", text, `install a newer Node: nvm install ${majorMin}`);
}

/** Whether this is Linux; `kernel` is as in `uname -r`. */
export function checkPlatform(platform: string, kernel: string): Finding {
  if (platform === "linux") return ok("kernel", `Linux ${kernel}`);
  const text = `${platform}, expected Linux: Koala needs memfd, eventfd and epoll`;
  return problem("kernel", text, "use Linux, in a virtual machine or a container for instance");
}

function addonProblem(error: unknown): Finding {
  const [reason = "", remedy] = messageOf(error).split("; ");
  const isOurs = error instanceof KoalaError;
  const fix = isOurs && remedy !== undefined ? remedy : "install @koala/native again";
  return problem("addon", reason, fix);
}

/** A region that nobody can cut, and that others may only read from now on. */
function trySeals(native: Native): Finding {
  const { SEAL_SHRINK, SEAL_GROW, SEAL_FUTURE_WRITE } = native;
  const wanted = SEAL_SHRINK | SEAL_GROW | SEAL_FUTURE_WRITE;
  const fd = native.regionCreate("koala-doctor", regionBytes);
  try {
    const before = native.regionMap(fd, regionBytes, true);
    native.regionSeal(fd, wanted);
    if ((native.regionSeals(fd) & wanted) !== wanted) throw new Error("seals do not stay");
    if (isWritable(native, fd)) throw new Error("F_SEAL_FUTURE_WRITE does not keep writers away");
    new Uint8Array(before)[0] = 1;
    native.regionUnmap(before);
  } finally {
    native.closeFd(fd);
  }
  return ok("sealed memory", "memfd with F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_FUTURE_WRITE");
}

function isWritable(native: Native, fd: number): boolean {
  try {
    native.regionUnmap(native.regionMap(fd, regionBytes, true));
    return true;
  } catch {
    return false; // as it should be
  }
}

/** An eventfd that rings, and an epoll that hears it. */
function tryDoorbells(native: Native): Finding {
  const bell = native.doorbellCreate();
  const poller = native.pollerCreate();
  try {
    const out = new Int32Array(2);
    native.pollerAdd(poller, bell, 7, native.POLL_IN);
    native.doorbellRing(bell);
    const heard = native.pollerWait(poller, out, 1, 0);
    if (heard !== 1 || out[0] !== 7) throw new Error("epoll does not hear an eventfd");
  } finally {
    native.closeFd(poller);
    native.closeFd(bell);
  }
  return ok("doorbells", "eventfd and epoll");
}

/** A descriptor that crosses a Unix socket. */
function tryPassing(native: Native): Finding {
  const [left, right] = native.unixPair(native.SOCKET_SEQPACKET);
  const received = new Int32Array(2);
  try {
    const sent = native.sendMessage(left, new Uint8Array(1), [left]);
    if (sent < 0) throw new Error(`sending a descriptor: ${native.errnoName(sent)}`);
    const got = native.receiveMessage(right, new Uint8Array(1), received);
    if (got < 0) throw new Error(`receiving a descriptor: ${native.errnoName(got)}`);
    if (received[0] !== 1) throw new Error("descriptors do not cross a Unix socket");
    native.closeFd(received[1]!);
  } finally {
    native.closeFd(left);
    native.closeFd(right);
  }
  return ok("descriptors", "pass through Unix sockets (SOCK_SEQPACKET, SCM_RIGHTS)");
}
