import { Child } from "./child.ts";

/** Where processes for tasks come from: a new one for each, or, where figures do not count, used ones again. */
export class ProcessPool {
  readonly #reuses: boolean;
  readonly #entry: string | undefined;
  readonly #all = new Set<Child>();
  readonly #idle: Child[] = [];

  /** `entry` is what a process runs, where that is not the one of this code. */
  constructor({ reuses, entry }: { readonly reuses: boolean; readonly entry?: string | undefined }) {
    this.#reuses = reuses;
    this.#entry = entry;
  }

  take(): Child {
    const used = this.#idle.pop();
    if (used) return used;
    const child = new Child(this.#entry);
    this.#all.add(child);
    return child;
  }

  async giveBack(child: Child): Promise<void> {
    if (this.#reuses) {
      this.#idle.push(child);
    } else {
      this.#all.delete(child);
      await child.end();
    }
  }

  /** Ends all processes, those too whose task was abandoned because something else failed. */
  async stop(): Promise<void> {
    await Promise.all([...this.#all].map((child) => child.end()));
  }
}
