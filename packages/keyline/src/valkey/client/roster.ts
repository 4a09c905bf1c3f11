import type { ValkeyConnection } from "./connection.ts";
import { lastingFaultOf } from "./faults.ts";
import { scriptsBeside } from "./script.ts";

const write = scriptsBeside(import.meta.url)(2, "roster-report");

/** For so long workers go on telling what they run after somebody has asked. */
export const watchedMs = 30_000;
/** What they told counts for so long; they tell it every second. */
const reportMs = 10_000;
const page = 100;

export interface RosterKeys {
  /** Sorted set: name -> end of its lease, in the server's milliseconds. */
  readonly leases: string;
  /** String: there while somebody asks. */
  readonly watched: string;
  /** String: what it has said of itself. */
  about(name: string): string;
  /** String: what it runs. */
  report(name: string): string;
}

/** One whose lease goes on. */
export interface RosterLine {
  readonly name: string;
  /** "" where nothing is known. */
  readonly about: string;
  readonly report: string;
  /** How many it holds. */
  readonly held: number;
}

interface RosterCommands {
  /** Somebody asks from now on. */
  watch(): Promise<unknown>;
  /** For each of them: what it has said, what it runs, how many it holds. */
  read(names: readonly string[]): Promise<unknown>;
}

/** Who works on a queue, or consumes for a group. */
export class Roster {
  readonly #connection: ValkeyConnection;
  readonly #keys: RosterKeys;
  readonly #commands: RosterCommands;

  constructor(connection: ValkeyConnection, keys: RosterKeys, commands: RosterCommands) {
    this.#connection = connection;
    this.#keys = keys;
    this.#commands = commands;
  }

  async say(name: string, about: string, leaseMs: number): Promise<void> {
    await this.#connection.client.set(this.#keys.about(name), about, "PX", 2 * leaseMs);
  }

  async report(name: string, text: string): Promise<boolean> {
    return (await write.run(this.#connection, [this.#keys.watched, this.#keys.report(name), text, reportMs])) === 1;
  }

  async forget(name: string): Promise<void> {
    if (this.#connection.isReady) await this.#connection.client.del(this.#keys.about(name), this.#keys.report(name));
  }

  isRefused(error: unknown): boolean {
    return lastingFaultOf(error) !== undefined;
  }

  /** Those whose lease goes on. With `isAsking` they are to tell what they run; who may only read gets what others have asked for. */
  async read({ isAsking }: { readonly isAsking: boolean }): Promise<RosterLine[]> {
    await this.#connection.ensureReady(5_000);
    const asked = isAsking && this.#ask();
    const [names] = await Promise.all([this.#names(), asked]);
    const lines: RosterLine[] = [];
    for (let first = 0; first < names.length; first += page) {
      const some = names.slice(first, first + page);
      const replies = (await this.#commands.read(some)) as [string, string, number][];
      some.forEach((name, index) => {
        const [about = "", report = "", held = 0] = replies[index] ?? [];
        lines.push({ name, about, report, held });
      });
    }
    return lines;
  }

  async #ask(): Promise<void> {
    try {
      await this.#commands.watch();
    } catch (error) {
      if (!lastingFaultOf(error)) throw error;
    }
  }

  async #names(): Promise<string[]> {
    const { client } = this.#connection;
    const [seconds] = await client.time();
    return client.zrange(this.#keys.leases, Number(seconds) * 1_000, "+inf", "BYSCORE");
  }
}
