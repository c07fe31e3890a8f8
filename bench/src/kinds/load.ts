/**
 * The kind `load`: calls under a grid of loads. All systems run at the same time and take turns; who has no turn
 * waits. A system is started and warmed up once, since all that varies is in the commands to its client.
 */
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import { reasonOf } from "../launcher/reason.ts";
import type { System } from "../systems/system.ts";
import { type LoadPoint, type LoadSettings, largestLoad, readLoad, refusal } from "./load-grid.ts";
import { LoadSubject, parametersOf } from "./load-subject.ts";

const quickSeconds = 0.1;
/** Starting is mostly waiting for others; more at once would not be faster. */
const startsAtOnce = 4;
/** A system that does less of what it is offered is not offered more. */
const saturatedShare = 0.7;

export const loadKind: ExperimentKind = {
  name: "load",
  run: async (context) => {
    const settings = readLoad(context.experiment);
    await new LoadRun(context, context.quick ? quickSettings(settings) : settings).run();
  },
};

/** The first and the last point, for a moment. */
function quickSettings(settings: LoadSettings): LoadSettings {
  const { points } = settings;
  const few = points.filter((_, index) => index === 0 || index === points.length - 1);
  const times = { warmUpSeconds: quickSeconds, settleSeconds: quickSeconds, leadSeconds: 0.01 };
  return { ...settings, points: few, ...times };
}

class LoadRun {
  private readonly context: ExperimentContext;
  private readonly settings: LoadSettings;
  private subjects: readonly LoadSubject[] = [];
  /** Why systems take no further part. */
  private readonly out = new Map<string, string>();

  constructor(context: ExperimentContext, settings: LoadSettings) {
    this.context = context;
    this.settings = settings;
  }

  async run(): Promise<void> {
    const { points } = this.settings;
    await this.startAll();
    for (const [index, point] of points.entries()) {
      const title = Object.entries(parametersOf(point)).map(([key, value]) => `${key} ${value}`);
      this.context.progress(`${index + 1} of ${points.length}: ${title.join(", ")}`);
      await this.measure(point);
    }
  }

  private async startAll(): Promise<void> {
    const { context } = this;
    const started: (LoadSubject | undefined)[] = context.systems.map(() => undefined);
    const queue = context.systems.entries();
    const startOneByOne = async (): Promise<void> => {
      for (const [index, system] of queue) {
        if (context.signal.aborted) return;
        started[index] = await this.start(system);
      }
    };
    await Promise.all(Array.from({ length: startsAtOnce }, startOneByOne));
    const subjects = started.filter((subject) => subject !== undefined);
    await this.each(subjects, async (subject) => {
      context.progress(`warming up ${subject.system.name}`);
      await subject.warmUp(this.possible(subject.system), this.settings.warmUpSeconds);
    });
    this.subjects = subjects.filter(({ system: { name } }) => {
      const skipped = this.out.get(name);
      if (skipped !== undefined)
        context.emit({ system: name, parameters: {}, skipped, figures: {} });
      return skipped === undefined;
    });
  }

  /** The points that the system can take. */
  private possible(system: System): readonly LoadPoint[] {
    const { points, method } = this.settings;
    return points.filter((point) => refusal(system, method, point) === undefined);
  }

  /** Starts a system; undefined when it takes no part, which has been said then. */
  private async start(system: System): Promise<LoadSubject | undefined> {
    const { context, settings } = this;
    const { method, points, quick } = settings;
    const { name } = system;
    const emitSkipped = (skipped: string): void =>
      context.emit({ system: name, parameters: {}, skipped, figures: {} });
    if (context.quick && quick.length > 0 && !quick.includes(name)) {
      emitSkipped("a quick run leaves it out");
      return undefined;
    }
    const possible = this.possible(system);
    if (possible.length === 0) {
      emitSkipped(refusal(system, method, points[0]!)!);
      return undefined;
    }
    context.progress(`starting ${name}`);
    const stage = context.stage();
    let subject: LoadSubject | undefined;
    await this.orOut(
      name,
      () => stage.tails(),
      async () => {
        const running = await system.start(stage, largestLoad(method, possible));
        subject = new LoadSubject(system, stage, running, method);
      },
    );
    const skipped = this.out.get(name);
    if (skipped !== undefined) emitSkipped(skipped);
    return subject;
  }

  private async measure(point: LoadPoint): Promise<void> {
    const { experiment, quick } = this.context;
    const { method, leadSeconds } = this.settings;
    const seconds = quick ? quickSeconds : experiment.roundSeconds;
    const rounds = quick ? 1 : experiment.rounds;
    const able = this.subjects.filter(
      ({ system }) => !this.out.has(system.name) && refusal(system, method, point) === undefined,
    );
    await this.each(able, (subject) => subject.settle(point, this.settings.settleSeconds));
    for (let round = 0; round < rounds; round++) {
      await this.each(able, (subject) => subject.round(point, seconds, leadSeconds));
    }
    for (const subject of this.subjects) await this.report(subject, point);
  }

  private async report(subject: LoadSubject, point: LoadPoint): Promise<void> {
    const { experiment, quick, signal, emit } = this.context;
    const { system, stage } = subject;
    const parameters = parametersOf(point);
    let skipped = refusal(system, this.settings.method, point) ?? this.out.get(system.name);
    if (signal.aborted) {
      skipped ??= `the experiment's limit of ${experiment.limitSeconds} s was over`;
    }
    if (skipped === undefined) {
      await this.orOut(
        system.name,
        () => stage.tails(),
        async () => emit(await subject.result(point)),
      );
      skipped = this.out.get(system.name);
      const share = subject.achievedShare(point);
      if (share < saturatedShare && !quick && skipped === undefined) {
        const percent = Math.round(share * 100);
        this.out.set(system.name, `it does ${percent} % of ${point.rate} calls per second`);
      }
    }
    if (skipped !== undefined) emit({ system: system.name, parameters, skipped, figures: {} });
  }

  /** One after the other, those that have not failed. */
  private async each(
    subjects: readonly LoadSubject[],
    work: (subject: LoadSubject) => Promise<void>,
  ): Promise<void> {
    for (const subject of subjects) {
      const { name } = subject.system;
      if (this.out.has(name) || this.context.signal.aborted) continue;
      await this.orOut(
        name,
        () => subject.stage.tails(),
        () => work(subject),
      );
    }
  }

  /** A system that fails takes no further part; the others go on. */
  private async orOut(
    system: string,
    tails: () => string,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      // What is aborted fails, but not by itself.
      if (this.context.signal.aborted) return;
      this.out.set(system, `it failed: ${reasonOf(error)}`);
      this.context.failed(system, error, tails());
    }
  }
}
