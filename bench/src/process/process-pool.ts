import { Child } from "./child.ts";

/** Where processes for tasks come from: a new one for each, or, where figures do not count, used ones again. */
export class ProcessPool {
  readonly #reuses: boolean;
  readonly #all = new Set<Child>();
  readonly #idle: Child[] = [];

  constructor({ reuses }: { readonly reuses: boolean }) {
    this.#reuses = reuses;
  }

  take(): Child {
    const used = this.#idle.pop();
    if (used) return used;
    const child = new Child();
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
