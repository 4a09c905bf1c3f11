import { historyOf, moment, type History } from "../faults/places/history.ts";
import { countKey } from "./count-key.ts";
import { startProcess, type TestProcess } from "./processes.ts";
import { eventually, type Stage } from "./stage.ts";

interface Member {
  readonly process: TestProcess;
  killedAt?: number;
}

/** Processes with workers of one queue, of which a test wants to know how many jobs they run at a time. */
export class LimitedCrew {
  readonly #stage: Stage;
  readonly #queue: string;
  readonly #members: Member[] = [];

  constructor(stage: Stage, queue: string) {
    this.#stage = stage;
    this.#queue = queue;
  }

  /** Resolves when all of them work. */
  async start(processes: number, settings: { readonly lease?: number; readonly workers: number; readonly work: number }): Promise<void> {
    const { valkeyUrl: valkey, prefix } = this.#stage;
    for (let count = 0; count < processes; count++)
      this.#members.push({ process: startProcess("limited-worker.ts", { valkey, prefix, queue: this.#queue, ...settings }) });
    await eventually("they are ready", () => this.#members.every(({ process }) => process.lines.some((line) => "ready" in line)), 60_000);
    const { workers } = settings;
    const leases = (): Promise<number> => this.#stage.valkey.zcard(this.#workers);
    await eventually("they work", async () => (await leases()) >= processes * workers, 60_000);
  }

  async running(group?: string): Promise<number> {
    const counts = await this.#stage.valkey.hvals(countKey(this.#queue, "running", group));
    return counts.reduce((sum, each) => sum + Number(each), 0);
  }

  /** The most that ever ran at a time. */
  async most(group?: string): Promise<number> {
    return Number(await this.#stage.valkey.get(countKey(this.#queue, "most", group)));
  }

  /** The data of all jobs that have begun. */
  async begun(group?: string): Promise<ReadonlySet<number>> {
    return new Set((await this.#stage.valkey.lrange(countKey(this.#queue, "begun", group), 0, -1)).map(Number));
  }

  /** Kills one that runs something, of a group if one is named, while it does. What it ran is not counted any more, and the most that ever ran begins anew. */
  async kill(groups: readonly string[] = []): Promise<{
    /** When the leases of its workers end, by the server's clock. */
    readonly leaseEnds: readonly number[];
    /** How many jobs of each group it ran. */
    readonly ran: ReadonlyMap<string, number>;
  }> {
    const { valkey } = this.#stage;
    const victim = await this.#busy(groups[0]);
    victim.killedAt = moment();
    victim.process.signal("SIGKILL");
    await victim.process.exited;
    const ran = new Map<string, number>();
    const pid = String(victim.process.child.pid);
    const leases = await valkey.zrange(this.#workers, 0, -1, "WITHSCORES");
    const leaseEnds = leases.flatMap((end, index) => (leases[index - 1]?.startsWith(`${pid}-`) ? Number(end) : []));
    for (const group of [undefined, ...groups]) {
      const key = countKey(this.#queue, "running", group);
      const [found] =
        (await valkey
          .multi()
          .hget(key, pid)
          .hdel(key, pid)
          .del(countKey(this.#queue, "most", group))
          .exec()) ?? [];
      if (group !== undefined) ran.set(group, Number(found?.[1] ?? 0));
    }
    return { leaseEnds, ran };
  }

  /** Ends all of them. */
  async end(): Promise<History> {
    for (const { process } of this.#members) process.signal("SIGTERM");
    await Promise.all(this.#members.map(({ process }) => process.exited));
    await eventually("all that they have noted is read", () => this.#members.every(({ process }) => process.child.stdout?.readableEnded));
    return historyOf(this.#members);
  }

  close(): void {
    for (const { process } of this.#members) process.signal("SIGKILL");
  }

  get #workers(): string {
    return `${this.#stage.prefix}:{${this.#queue}}:workers`;
  }

  async #busy(group: string | undefined): Promise<Member> {
    let busy: Member | undefined;
    await eventually("one runs something", async () => {
      const counts = await this.#stage.valkey.hgetall(countKey(this.#queue, "running", group));
      busy = this.#members.find(({ process, killedAt }) => killedAt === undefined && Number(counts[String(process.child.pid)] ?? 0) > 0);
      return busy !== undefined;
    });
    if (!busy) throw new Error("unreachable");
    return busy;
  }
}
