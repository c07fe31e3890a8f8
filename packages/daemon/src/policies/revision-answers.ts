/** What the admin socket says about revisions. */
import type { DiffAnswer, HistoryAnswer } from "@koala/protocol";
import { diffFiles } from "./file-diff.ts";
import type { RevisionStore } from "./revision-store.ts";
import { diffLines, textOf } from "./revision-text.ts";

/** All that are kept, newest first. */
export function historyOf(store: RevisionStore): HistoryAnswer {
  const revisions = [...store.all].reverse().map((number) => {
    const { revision, time, who, summary, policies } = store.read(number);
    const isCurrent = revision === store.latest;
    return { revision, time, who, summary, policies: policies.length, isCurrent };
  });
  return { revisions };
}

/** Lines that differ; `from` is the one before `to`, and `to` the newest, unless given. */
export function diffOf(
  store: RevisionStore,
  from: number | undefined,
  to: number = store.latest,
): DiffAnswer {
  const target = store.read(to);
  const start = from ?? store.all.filter((number) => number < to).at(-1);
  const before = start === undefined ? undefined : store.read(start);
  const lines = [
    ...diffLines(textOf(before?.policies ?? []), textOf(target.policies)),
    ...diffFiles(before?.state.files ?? {}, target.state.files),
  ];
  return { from: start ?? 0, to, lines };
}
