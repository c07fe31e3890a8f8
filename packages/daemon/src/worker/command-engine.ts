/** The engine that carries out commands of the control plane, one a unit of work. */
import type { Engine } from "@koala/interface";

export class CommandEngine implements Engine {
  readonly name = "commands";
  private readonly step: () => boolean;

  /** `step` carries out one command, if there is one, and says whether there was. */
  constructor(step: () => boolean) {
    this.step = step;
  }

  poll(budget: number): number {
    let done = 0;
    while (done < budget && this.step()) done++;
    return done;
  }

  flush(): void {}

  sleep(): boolean {
    // A command that came in meanwhile has rung the doorbell, which is an edge that is still to come.
    return true;
  }

  hasWork(): boolean {
    return false;
  }
}
