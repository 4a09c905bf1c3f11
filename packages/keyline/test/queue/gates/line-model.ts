/** What is to become of the jobs of groups, said as simply as can be: each group is a list, of which as many as may run at a time run. */
export interface ModelJob {
  readonly id: string;
  /** It waits for a time that does not come, until it is promoted. */
  isDelayed: boolean;
}

interface ModelGroup {
  /** In their order. */
  readonly line: ModelJob[];
  /** What has its turn: it runs, unless it is delayed. */
  readonly admitted: ModelJob[];
  isPaused: boolean;
}

export class LineModel {
  readonly #groups = new Map<string, ModelGroup>();
  limit = 1;

  add(group: string, job: ModelJob): void {
    this.#of(group).line.push(job);
    this.#go();
  }

  /** Where it is now: "line", "delayed", "running" or "nowhere". */
  placeOf(id: string): "line" | "delayed" | "running" | "nowhere" {
    for (const { line, admitted } of this.#groups.values()) {
      if (line.some((job) => job.id === id)) return "line";
      const job = admitted.find((one) => one.id === id);
      if (job) return job.isDelayed ? "delayed" : "running";
    }
    return "nowhere";
  }

  /** It has ended, or was cancelled before it began. */
  remove(id: string): void {
    this.removeAll([id]);
  }

  removeAll(ids: readonly string[]): void {
    for (const { line, admitted } of this.#groups.values()) {
      for (const list of [line, admitted]) list.splice(0, list.length, ...list.filter(({ id }) => !ids.includes(id)));
    }
    this.#go();
  }

  /** Who had its turn and may not run as its group is paused goes back to the front of the line. */
  promote(id: string): void {
    for (const { line, admitted, isPaused } of this.#groups.values()) {
      for (const job of line) if (job.id === id) job.isDelayed = false;
      const at = admitted.findIndex((job) => job.id === id && job.isDelayed);
      if (at < 0) continue;
      (admitted[at] as ModelJob).isDelayed = false;
      if (isPaused) line.unshift(...admitted.splice(at, 1));
    }
  }

  pause(group: string, isPaused: boolean): void {
    this.#of(group).isPaused = isPaused;
    this.#go();
  }

  setLimit(limit: number): void {
    this.limit = limit;
    this.#go();
  }

  isDelayed(id: string): boolean {
    return [...this.#groups.values()].some(({ line, admitted }) => [...line, ...admitted].some((job) => job.id === id && job.isDelayed));
  }

  running(): string[] {
    return [...this.#groups.values()].flatMap(({ admitted }) => admitted.filter(({ isDelayed }) => !isDelayed).map(({ id }) => id)).sort();
  }

  /** Those that wait in the line of the group, in their order. */
  line(group: string): string[] {
    return this.#of(group).line.map(({ id }) => id);
  }

  ids(): string[] {
    return [...this.#groups.values()].flatMap(({ admitted, line }) => [...admitted, ...line].map(({ id }) => id));
  }

  isPaused(group: string): boolean {
    return this.#of(group).isPaused;
  }

  #of(name: string): ModelGroup {
    const group = this.#groups.get(name) ?? { line: [], admitted: [], isPaused: false };
    this.#groups.set(name, group);
    return group;
  }

  #go(): void {
    for (const { line, admitted, isPaused } of this.#groups.values()) {
      while (!isPaused && admitted.length < this.limit && line.length > 0) admitted.push(...line.splice(0, 1));
    }
  }
}
