import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { selfTimes } from "./profile.ts";

function node(id: number, functionName: string, url: string) {
  return { id, callFrame: { functionName, url, lineNumber: 9 } };
}

describe("selfTimes", () => {
  it("adds up the time of each function and leaves out waiting", () => {
    const profile = {
      nodes: [
        node(1, "(idle)", ""),
        node(2, "parse", "file:///a/frame.js"),
        // The same function, called from elsewhere.
        node(3, "parse", "file:///a/frame.js"),
        node(4, "", "file:///a/main.js"),
        node(5, "pollerWait", ""),
        node(6, "wait", "file:///a/epoll-waiter.js"),
      ],
      samples: [1, 2, 3, 4, 5, 6, 1],
      timeDeltas: [0, 1000, 5, 7, 2, 500, 300],
    };
    assert.deepEqual(selfTimes(profile), [
      { title: "parse  frame.js:10", micros: 12 },
      { title: "(anonymous)  main.js:10", micros: 2 },
    ]);
  });
});
