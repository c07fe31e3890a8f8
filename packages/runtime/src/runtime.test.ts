import assert from "node:assert/strict";
import { test } from "node:test";
import type { Engine } from "@koala/interface";
import { Spinner } from "@koala/shm";
import { Runtime } from "./runtime.ts";

import { Timer } from "./timer-wheel.ts";

/** An engine with a number of units of work that writes down what is done with it. */
class FakeEngine implements Engine {
  readonly name: string;
  work = 0;
  /** What `sleep` answers. */
  maySleep = true;
  onPoll: () => void = () => {};
  onFlush: () => void = () => {};
  onSleep: () => void = () => {};
  private readonly stage: Stage;

  constructor(name: string, stage: Stage) {
    this.name = name;
    this.stage = stage;
  }

  poll(budget: number): number {
    this.stage.log.push(`poll ${this.name}`);
    this.onPoll();
    const done = Math.min(budget, this.work);
    this.work -= done;
    return done;
  }

  flush(): void {
    this.stage.log.push(`flush ${this.name}`);
    this.onFlush();
  }

  sleep(): boolean {
    this.stage.log.push(`sleep ${this.name}`);
    this.onSleep();
    return this.maySleep;
  }

  hasWork(): boolean {
    return this.work > 0;
  }
}

/** A runtime whose clock and waiter are told what to do. */
class Stage {
  log: string[] = [];
  micros = 0;
  /** Done in the next waits, one each. */
  readonly events: (() => void)[] = [];
  readonly runtime: Runtime;

  constructor(spinMicros: number = 0, budget: number = 4) {
    this.runtime = new Runtime({
      waiter: {
        wait: (timeoutMicros) => {
          this.log.push(`wait ${timeoutMicros}`);
          this.micros += 1;
          this.events.shift()?.();
        },
      },
      spinner: new Spinner({
        maxMicros: spinMicros,
        fixed: true,
        cores: 1,
        runnableThreads: () => 1,
      }),
      nowMicros: () => this.micros,
      yieldThread: () => {},
      budget,
    });
  }

  engine(name: string): FakeEngine {
    return new FakeEngine(name, this);
  }

  /** What one round does. */
  round(): string[] {
    this.log = [];
    this.runtime.round();
    return this.log;
  }
}

test("a runtime without work waits without end", () => {
  const stage = new Stage();
  assert.deepEqual(stage.round(), ["wait -1"]);
  assert.deepEqual(stage.runtime.counters, {
    rounds: 1,
    sleeps: 1,
    wakeups: 0,
    spins: 0,
    spinHits: 0,
  });
});

test("an engine is polled from its activation until it sleeps", () => {
  const stage = new Stage();
  const engine = stage.engine("a");
  engine.work = 6;
  stage.runtime.activate(engine);
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "wait 0"], "its budget of 4 is used up");
  assert.equal(engine.work, 2);
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait -1"]);
  assert.deepEqual(stage.round(), ["wait -1"]);
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait -1"]);
});

test("an engine that does not want to sleep is polled again", () => {
  const stage = new Stage();
  const engine = stage.engine("a");
  engine.maySleep = false;
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait 0"]);
  engine.maySleep = true;
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait -1"]);
  assert.equal(stage.runtime.counters.sleeps, 1);
});

test("engines have turns, whoever has more to do", () => {
  const stage = new Stage();
  const [busy, idle] = [stage.engine("busy"), stage.engine("idle")];
  busy.work = 100;
  stage.runtime.activate(busy);
  stage.runtime.activate(idle);
  assert.deepEqual(stage.round(), ["poll busy", "poll idle", "sleep idle", "wait 0"]);
  stage.runtime.activate(idle);
  assert.deepEqual(stage.round(), ["poll busy", "poll idle", "sleep idle", "wait 0"]);
});

test("an engine that another one activates is polled in the same round", () => {
  const stage = new Stage();
  const [first, second] = [stage.engine("a"), stage.engine("b")];
  first.onPoll = () => stage.runtime.activate(second);
  stage.runtime.activate(first);
  assert.deepEqual(stage.round(), ["poll a", "poll b", "sleep a", "sleep b", "wait -1"]);
});

test("an engine that another one activates after its turn has another one before it sleeps", () => {
  const stage = new Stage();
  const [first, second] = [stage.engine("first"), stage.engine("second")];
  stage.runtime.activate(first);
  stage.runtime.activate(second);
  second.onPoll = () => {
    second.onPoll = () => {};
    stage.runtime.activate(first);
  };
  stage.runtime.round();
  assert.deepEqual(stage.log, ["poll first", "poll second"]);
  stage.log = [];
  stage.runtime.round();
  const { log } = stage;
  assert.deepEqual(log.slice(0, 2), ["poll first", "poll second"]);
  assert.deepEqual(log.slice(2).sort(), ["sleep first", "sleep second", "wait -1"]);
});

test("engines are flushed after all polls, once for however many marks", () => {
  const stage = new Stage();
  const [first, second] = [stage.engine("a"), stage.engine("b")];
  for (const engine of [first, second]) {
    engine.onPoll = () => {
      stage.runtime.markDirty(first);
      stage.runtime.markDirty(second);
    };
    stage.runtime.activate(engine);
  }
  const done = stage.round();
  assert.deepEqual(done.slice(0, 2), ["poll a", "poll b"]);
  assert.deepEqual(done.slice(2, 4).sort(), ["flush a", "flush b"]);
  assert.deepEqual(done.slice(4), ["sleep a", "sleep b", "wait -1"]);
});

test("what a flush marks is flushed in the same round", () => {
  const stage = new Stage();
  const [first, second] = [stage.engine("a"), stage.engine("b")];
  first.onFlush = () => {
    first.onFlush = () => {};
    stage.runtime.markDirty(first);
    stage.runtime.markDirty(second);
  };
  stage.runtime.markDirty(first);
  assert.deepEqual(stage.round().sort(), ["flush a", "flush a", "flush b", "wait -1"]);
});

test("what is marked in a wait or at a sleep is flushed before the next long wait", () => {
  const stage = new Stage();
  const engine = stage.engine("a");
  stage.events.push(() => stage.runtime.markDirty(engine));
  assert.deepEqual(stage.round(), ["wait -1"]);
  assert.deepEqual(stage.round(), ["flush a", "wait -1"]);
  engine.onSleep = () => stage.runtime.markDirty(engine);
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait 0"]);
  assert.deepEqual(stage.round(), ["flush a", "wait -1"]);
});

test("an engine that is removed is neither polled, flushed nor put to sleep", () => {
  const stage = new Stage();
  const engine = stage.engine("a");
  stage.runtime.activate(engine);
  stage.runtime.markDirty(engine);
  stage.runtime.remove(engine);
  assert.deepEqual(stage.round(), ["wait -1"]);
  engine.onPoll = () => {
    stage.runtime.markDirty(engine);
    stage.runtime.remove(engine);
  };
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "wait -1"]);
  assert.deepEqual(stage.round(), ["wait -1"]);
});

for (const removed of ["a", "b", "c", "d"]) {
  test(`engine b removes engine ${removed} while it is polled: the others keep their turns`, () => {
    const stage = new Stage();
    const engines = new Map(["a", "b", "c", "d"].map((name) => [name, stage.engine(name)]));
    for (const engine of engines.values()) stage.runtime.activate(engine);
    engines.get("b")!.onPoll = () => stage.runtime.remove(engines.get(removed)!);
    const polled = stage.round().filter((line) => line.startsWith("poll"));
    const skipped = removed > "b" ? removed : "";
    const expected = ["a", "b", "c", "d"].filter((name) => name !== skipped);
    assert.deepEqual(
      polled,
      expected.map((name) => `poll ${name}`),
    );
  });
}

test("a runtime stops after the round in which it is told to", () => {
  const stage = new Stage();
  const [first, second] = [stage.engine("a"), stage.engine("b")];
  first.onPoll = () => {
    stage.runtime.markDirty(second);
    stage.runtime.stop();
  };
  stage.runtime.activate(first);
  stage.runtime.activate(second);
  stage.runtime.run();
  assert.deepEqual(stage.log, ["poll a", "poll b", "flush b"], "it does not wait any more");
});

test("a runtime is stopped while it waits", () => {
  const stage = new Stage();
  stage.events.push(() => stage.runtime.stop());
  stage.runtime.run();
  assert.deepEqual(stage.log, ["wait -1"]);
});

test("it sleeps until the next timer, counted from when it falls asleep", () => {
  const stage = new Stage();
  const fired: number[] = [];
  const timer = new Timer(() => fired.push(stage.runtime.nowMs));
  stage.runtime.timers.set(timer, 5);
  const engine = stage.engine("a");
  engine.onPoll = () => {
    stage.micros += 2000;
  };
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait 3000"]);
  stage.micros = 4999;
  stage.round();
  assert.deepEqual(fired, []);
  stage.micros = 5000;
  assert.deepEqual(stage.round(), ["wait -1"]);
  assert.deepEqual(fired, [5]);
});

test("what a timer activates is polled in its round", () => {
  const stage = new Stage();
  const engine = stage.engine("a");
  stage.runtime.timers.set(new Timer(() => stage.runtime.activate(engine)), 1);
  stage.micros = 1000;
  assert.deepEqual(stage.round(), ["poll a", "sleep a", "wait -1"]);
});

test("it spins before it puts engines to sleep, for no longer than it may", () => {
  const stage = new Stage(3);
  const engine = stage.engine("a");
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "wait 0", "wait 0", "wait 0", "sleep a", "wait -1"]);
  assert.deepEqual(stage.runtime.counters, {
    rounds: 1,
    sleeps: 1,
    wakeups: 0,
    spins: 1,
    spinHits: 0,
  });
});

test("a spin that finds work goes on without a sleep", () => {
  const stage = new Stage(3);
  const engine = stage.engine("a");
  stage.runtime.activate(engine);
  stage.events.push(() => {
    engine.work = 1;
  });
  assert.deepEqual(stage.round(), ["poll a", "wait 0"]);
  assert.deepEqual(stage.runtime.counters, {
    rounds: 1,
    sleeps: 0,
    wakeups: 0,
    spins: 1,
    spinHits: 1,
  });
  assert.equal(stage.round()[0], "poll a");
});

test("nothing that the waiter tells during a spin is forgotten", () => {
  const stage = new Stage(3);
  const [idle, other] = [stage.engine("idle"), stage.engine("other")];
  stage.runtime.activate(idle);
  // Already active, and without work that could be seen from outside.
  stage.events.push(() => stage.runtime.activate(idle));
  assert.deepEqual(stage.round(), ["poll idle", "wait 0"]);
  stage.events.push(() => stage.runtime.activate(other));
  assert.deepEqual(stage.round(), ["poll idle", "wait 0"]);
  stage.events.push(() => stage.runtime.markDirty(other));
  assert.deepEqual(stage.round(), ["poll idle", "poll other", "wait 0"]);
  assert.deepEqual(stage.round().slice(0, 3), ["poll idle", "poll other", "flush other"]);
});

test("it does not spin while an engine has more to do than its budget", () => {
  const stage = new Stage(3);
  const engine = stage.engine("a");
  engine.work = 9;
  stage.runtime.activate(engine);
  assert.deepEqual(stage.round(), ["poll a", "wait 0"]);
  assert.equal(stage.runtime.counters.spins, 0);
});

test("while it spins, whoever was handed work last need not ring", () => {
  const stage = new Stage(3);
  const [source, target] = [stage.engine("source"), stage.engine("target")];
  let awake = 0;
  Object.assign(target, { awake: () => awake++ });
  stage.runtime.activate(source);
  stage.runtime.markDirty(target);
  stage.events.push(() => {
    target.work = 1; // it answers, and rings nobody
  });
  assert.deepEqual(stage.round(), ["poll source", "flush target", "wait 0"]);
  assert.equal(awake, 1);
  assert.deepEqual(stage.runtime.counters, {
    rounds: 1,
    sleeps: 0,
    wakeups: 0,
    spins: 1,
    spinHits: 1,
  });
  assert.deepEqual(stage.round().slice(0, 2), ["poll source", "poll target"]);
});

test("an engine that was removed in this round is not looked at by a spin", () => {
  const stage = new Stage(3);
  const [gone, remover] = [stage.engine("gone"), stage.engine("remover")];
  const unmapped = (): never => assert.fail("its memory is gone");
  stage.runtime.activate(gone);
  stage.runtime.activate(remover);
  gone.onPoll = () => stage.runtime.markDirty(gone);
  remover.onPoll = () => {
    stage.runtime.remove(gone);
    Object.assign(gone, { hasWork: unmapped, awake: unmapped });
  };
  assert.deepEqual(stage.round().slice(0, 3), ["poll gone", "poll remover", "wait 0"]);
});

test("an engine that was flushed and then removed is not woken by a spin", () => {
  const stage = new Stage(3);
  const [source, gone] = [stage.engine("source"), stage.engine("gone")];
  const unmapped = (): never => assert.fail("its memory is gone");
  stage.runtime.activate(source);
  stage.runtime.markDirty(gone);
  gone.onFlush = () => {
    stage.runtime.remove(gone);
    Object.assign(gone, { hasWork: unmapped, awake: unmapped });
  };
  assert.deepEqual(stage.round().slice(0, 3), ["poll source", "flush gone", "wait 0"]);
});
