/**
 * The kind `load`: calls under a grid of loads. All systems run at the same time and take turns; who has no turn
 * waits. A system is started and warmed up once, since all that varies is in the commands to its client.
 */
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import { reasonOf } from "../launcher/reason.ts";
import { type LoadPoint, type LoadSettings, largestLoad, readLoad, refusal } from "./load-grid.ts";
import { LoadSubject, parametersOf } from "./load-subject.ts";

const quickSeconds = 0.1;
const settleSeconds = 0.1;
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
  return { ...settings, points: few, warmUpSeconds: quickSeconds };
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
    const { context, settings } = this;
    const { method, points, warmUpSeconds, quick } = settings;
    const subjects: LoadSubject[] = [];
    for (const system of context.systems) {
      if (context.signal.aborted) return;
      if (context.quick && quick.length > 0 && !quick.includes(system.name)) {
        const skipped = "a quick run leaves it out";
        context.emit({ system: system.name, parameters: {}, skipped, figures: {} });
        continue;
      }
      const possible = points.filter((point) => refusal(system, method, point) === undefined);
      const [first] = possible;
      if (first === undefined) {
        const why = refusal(system, method, points[0]!)!;
        context.emit({ system: system.name, parameters: {}, skipped: why, figures: {} });
        continue;
      }
      context.progress(`starting ${system.name}`);
      const stage = context.stage();
      await this.orOut(
        system.name,
        () => stage.tails(),
        async () => {
          const running = await system.start(stage, largestLoad(method, possible));
          const subject = new LoadSubject(system, stage, running, method);
          await subject.warmUp({ ...first, rate: 0 }, warmUpSeconds);
          subjects.push(subject);
        },
      );
      const skipped = this.out.get(system.name);
      if (skipped !== undefined) {
        context.emit({ system: system.name, parameters: {}, skipped, figures: {} });
      }
    }
    this.subjects = subjects;
  }

  private async measure(point: LoadPoint): Promise<void> {
    const { experiment, quick } = this.context;
    const { method } = this.settings;
    const seconds = quick ? quickSeconds : experiment.roundSeconds;
    const rounds = quick ? 1 : experiment.rounds;
    const able = this.subjects.filter(
      ({ system }) => !this.out.has(system.name) && refusal(system, method, point) === undefined,
    );
    await this.each(able, (subject) => subject.settle(point, quick ? quickSeconds : settleSeconds));
    for (let round = 0; round < rounds; round++) {
      await this.each(able, (subject) => subject.round(point, seconds));
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
