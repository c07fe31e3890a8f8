/** Tells systemd which process is the daemon: the one that has started, and after an upgrade another one. */
import { execFile } from "node:child_process";

const deadlineMs = 5000;

/**
 * Says READY and the process's number at `NOTIFY_SOCKET`, if there is one. The socket is one for datagrams,
 * which Node can't open, so systemd's own program does it. `failed` is told why that was in vain.
 */
export function tellSupervisor(failed: (reason: string) => void): void {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return;
  const args = ["--ready", `--pid=${process.pid}`, `MAINPID=${process.pid}`];
  execFile("systemd-notify", args, { timeout: deadlineMs }, (error) => {
    if (error !== null) failed(error.message);
  });
}
