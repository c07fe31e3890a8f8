import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CgroupLimits, readCgroupLimits } from "./cgroup.ts";

function limitsOf(files: Readonly<Record<string, string>>): CgroupLimits {
  return readCgroupLimits((path) => files[path]);
}

const mount2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const mounts1 =
  "32 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

describe("readCgroupLimits", () => {
  it("has none where there are no groups, or groups without limits", () => {
    assert.deepEqual(limitsOf({}), {});
    const files = {
      "/proc/self/mountinfo": mount2,
      "/proc/self/cgroup": "0::/user.slice\n",
      "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
    };
    assert.deepEqual(limitsOf(files), {});
  });

  it("takes the narrowest limit on the way to the root", () => {
    const files = {
      "/proc/self/mountinfo": mount2,
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
      "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
      "/sys/fs/cgroup/a/b/memory.max": "1048576\n",
      "/sys/fs/cgroup/a/memory.max": "2097152\n",
    };
    assert.deepEqual(limitsOf(files), { cpus: 0.5, memoryBytes: 1048576 });
  });

  it("knows version 1, where each controller has a hierarchy of its own", () => {
    const files = {
      "/proc/self/mountinfo": mounts1,
      "/proc/self/cgroup": "4:memory:/box\n1:cpu,cpuacct:/\n0::/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "536870912\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    };
    assert.deepEqual(limitsOf(files), { cpus: 1.5, memoryBytes: 536870912 });
    const unlimited = { ...files, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n" };
    assert.equal(limitsOf(unlimited).cpus, undefined);
  });

  it("finds a group that is mounted as the root of a container", () => {
    const files = {
      "/proc/self/mountinfo": "30 23 0:26 /docker/1234 /sys/fs/cgroup ro - cgroup2 cgroup ro\n",
      "/proc/self/cgroup": "0::/docker/1234\n",
      "/sys/fs/cgroup/memory.max": "1073741824\n",
    };
    assert.deepEqual(limitsOf(files), { memoryBytes: 1073741824 });
  });
});
