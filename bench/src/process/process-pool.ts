import { Child } from "./child.ts";
import type { Count } from "./headway.ts";

/** Where processes for tasks come from: a new one for each, or, where figures do not count, used ones again. */
export class ProcessPool {
  readonly #reuses: boolean;
  readonly #entry: string | undefined;
  readonly #busy = new Set<Child>();
  readonly #idle: Child[] = [];
  #reports = 0;

  /** `entry` is what a process runs, where that is not the one of this code. */
  constructor({ reuses, entry }: { readonly reuses: boolean; readonly entry?: string | undefined }) {
    this.#reuses = reuses;
    this.#entry = entry;
  }

  get isBusy(): boolean {
    return this.#busy.size > 0;
  }

  /** How often any process has reported anything. */
  get reports(): number {
    return this.#reports;
  }

  /** What the processes wait for, as they last said. */
  get counts(): readonly Count[] {
    return [...this.#busy].flatMap((child) => child.counts);
  }

  take(): Child {
    const child = this.#idle.pop() ?? new Child(() => this.#reports++, this.#entry);
    this.#busy.add(child);
    return child;
  }

  async giveBack(child: Child): Promise<void> {
    if (this.#reuses) this.#idle.push(child);
    else await child.end();
    this.#busy.delete(child);
  }

  /** Kills those whose task was abandoned because something else failed: they must not go on beside the next contender. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#busy].map((child) => child.kill()));
    this.#busy.clear();
  }

  /** Ends all processes. */
  async stop(): Promise<void> {
    await this.abandon();
    await Promise.all(this.#idle.map((child) => child.end()));
  }
}
