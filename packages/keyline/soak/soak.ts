/*
 * DESIGN. A soak is an experiment on real processes and real servers:
 *
 *   quiet    everything works, and nothing may go wrong                                     (checks/calm.ts)
 *   faults   the schedule of the seed strikes, one fault after the other                    (plan.ts, faults.ts)
 *   heal     everything is whole again; producers are replaced by calm ones
 *   recover  every process that lives has to get something done: the ones that hang are seen here
 *   drain    nobody produces any more, and everything has to come to its end
 *   check    the history of all processes is held against what both stores have in the end  (checks/)
 *
 * A run is valid, invalid, or unknown: where nothing struck or nothing worked, and where the end could not be read, it proves nothing.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cast, socketsOf, type Role } from "./cast.ts";
import { check } from "./checks/check.ts";
import { violated, type Evidence, type Violation } from "./checks/evidence.ts";
import { findVacuity } from "./checks/vacuity.ts";
import { Nemesis, type Struck } from "./faults.ts";
import { readFinal } from "./final-reading.ts";
import { HistoryReader, HistoryWriter, type Activity } from "./history.ts";
import { planFaults, type FaultKind } from "./plan.ts";
import { prefix, SoakStage } from "./stage.ts";
import { watchStalls } from "./stalls.ts";
import { findUnfinished } from "./unfinished.ts";
import { eventually } from "./waiting.ts";

export interface SoakOptions {
  readonly seed: number;
  readonly quietMs: number;
  readonly faultsMs: number;
  /** How many processes of each role. */
  readonly cast: Readonly<Record<Role, number>>;
  /** Only faults of these kinds. */
  readonly kinds?: readonly FaultKind[];
  /** Where the histories go; they are kept there. Without it they are removed unless the run is invalid. */
  readonly folder?: string | undefined;
  readonly recoverMs: number;
  readonly drainMs: number;
  readonly log: (line: string) => void;
}

export interface SoakReport {
  readonly verdict: "valid" | "invalid" | "unknown";
  readonly violations: readonly Violation[];
  /** Why it is unknown. */
  readonly reasons: readonly string[];
  readonly struck: readonly Struck[];
  /** Ended operations by activity and end. */
  readonly counts: Readonly<Record<string, number>>;
  /** Milliseconds from the end of the last fault until every process had done something, and until nothing was left to do. */
  readonly recoveredMs: number;
  readonly drainedMs: number;
  readonly folder: string;
}

export const fullCast = { producer: 2, worker: 4, consumer: 2, subscriber: 2 } as const;

/** What a process of each role has to get done after everything is whole again. */
const duties: Readonly<Record<Role, readonly Activity[]>> = {
  producer: ["orders.add", "tours.add", "trips.add", "mails.add", "outings.add", "news.publish", "events.append", "readings.append"],
  worker: ["orders.run", "tours.run", "trips.run", "legs.run", "mails.run", "outings.run", "stops.run"],
  consumer: ["events.handle", "readings.handle"],
  subscriber: ["news.receive", "events.follow", "readings.follow"],
};

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "keyline-soak-"));
  mkdirSync(folder, { recursive: true });
  const stage = await SoakStage.open(options.seed);
  const cast = new Cast({ seed: options.seed, folder, prefix, addressesOf: (place) => stage.addressesOf(place) });
  try {
    const report = await new Run(options, { folder, stage, cast }).go();
    if (options.folder === undefined && report.verdict === "valid") rmSync(folder, { recursive: true, force: true });
    return report;
  } finally {
    await cast.close();
    await stage.close();
  }
}

class Run {
  readonly #options: SoakOptions;
  readonly #folder: string;
  readonly #stage: SoakStage;
  readonly #cast: Cast;
  readonly #nemesis: Nemesis;
  readonly #history: HistoryReader;
  readonly #violations: Violation[] = [];

  constructor(options: SoakOptions, { folder, stage, cast }: { readonly folder: string; readonly stage: SoakStage; readonly cast: Cast }) {
    this.#options = options;
    this.#folder = folder;
    this.#stage = stage;
    this.#cast = cast;
    this.#nemesis = new Nemesis(stage, cast);
    this.#history = new HistoryReader(folder);
  }

  async go(): Promise<SoakReport> {
    const { log } = this.#options;
    const { pool, valkey } = this.#stage;
    const writer = new HistoryWriter({ folder: this.#folder, proc: "soak", seed: this.#options.seed });
    const stopWatching = watchStalls(writer, () => Promise.all([pool.query("SELECT 1"), valkey.ping()]));
    const isUp = await this.#quiet().finally(stopWatching);
    if (!isUp) return this.#report({ reasons: ["the processes did not get to work before any fault"], recoveredMs: 0, drainedMs: 0 });
    const faultsFrom = Date.now();
    const sockets = new Map(this.#cast.actors.map((actor) => [actor.role, socketsOf(actor)]));
    await this.#faults();
    const healedAt = await this.#heal();
    await this.#recover();
    const recoveredMs = Date.now() - healedAt;
    log(`every process got something done within ${recoveredMs} ms`);
    this.#checkSockets(sockets);
    await this.#drain();
    const drainedMs = Date.now() - healedAt;
    log(`nothing was left to do ${drainedMs} ms after the last fault`);
    for (const role of ["worker", "consumer", "subscriber"] as const)
      this.#nemesis.unwilling.push(...(await this.#cast.dismiss(role, 40_000)));
    this.#fault("I10", "processes did not end in order when they were asked to", this.#nemesis.unwilling);
    this.#fault("I10", "processes ended by themselves", this.#cast.crashes);
    const { struck, forgotten } = this.#nemesis;
    const evidence: Evidence = {
      ops: this.#history.read(),
      final: await readFinal(this.#stage),
      struck,
      forgotten,
      faultsFrom,
      healedAt,
    };
    this.#violations.push(...check(evidence));
    return this.#report({ reasons: findVacuity(evidence), recoveredMs, drainedMs });
  }

  async #quiet(): Promise<boolean> {
    const { cast, quietMs, log } = this.#options;
    log("quiet: everything works");
    // Subscribers first: what they get begins with the first message.
    for (const role of ["subscriber", "consumer", "worker", "producer"] as const) {
      for (let place = 0; place < cast[role]; place++) this.#cast.start(role, place);
    }
    const isUp = await eventually(() => this.#idle(0).length === 0, 60_000);
    await sleep(quietMs);
    return isUp;
  }

  async #faults(): Promise<void> {
    const { seed, faultsMs, kinds, log } = this.#options;
    await this.#replaceProducers({ isCalm: false });
    const end = performance.now() + faultsMs;
    for (const fault of planFaults(seed, kinds)) {
      await sleep(Math.min(fault.afterMs, Math.max(0, end - performance.now())));
      if (performance.now() >= end) return;
      await this.#nemesis.strike(fault);
      const struck = this.#nemesis.struck.at(-1);
      log(`${struck?.kind} ${struck?.target}: ${struck?.proof ?? "nothing to break"}`);
    }
  }

  async #heal(): Promise<number> {
    this.#stage.healWires();
    await this.#replaceProducers({ isCalm: true });
    this.#options.log("healed");
    return Date.now();
  }

  async #replaceProducers({ isCalm }: { readonly isCalm: boolean }): Promise<void> {
    this.#nemesis.unwilling.push(...(await this.#cast.dismiss("producer", 40_000)));
    this.#cast.isCalm = isCalm;
    for (let place = 0; place < this.#options.cast.producer; place++) this.#cast.start("producer", place);
  }

  async #recover(): Promise<void> {
    const healedAt = Date.now();
    await eventually(() => this.#idle(healedAt).length === 0, this.#options.recoverMs);
    this.#fault("I6", `things were not done within ${this.#options.recoverMs} ms after the last fault`, this.#idle(healedAt));
  }

  /** What processes that live have not done since then. */
  #idle(since: number): string[] {
    const done = new Set(
      this.#history
        .read()
        .filter(({ type, wall }) => type === "ok" && wall >= since)
        .map(({ proc, f }) => `${proc} ${f}`),
    );
    return this.#cast.actors.flatMap(({ role, proc }) => duties[role].map((f) => `${proc} ${f}`).filter((duty) => !done.has(duty)));
  }

  async #drain(): Promise<void> {
    this.#nemesis.unwilling.push(...(await this.#cast.dismiss("producer", 40_000)));
    let left: string[] = [];
    const isDrained = await eventually(async () => {
      left = await findUnfinished(this.#stage, this.#history).catch((error: unknown) => [String(error)]);
      return left.length === 0;
    }, this.#options.drainMs);
    if (!isDrained) this.#fault("I6", `things were not finished within ${this.#options.drainMs} ms`, left);
  }

  /** Connections that are not given back grow in number. */
  #checkSockets(before: ReadonlyMap<Role, number>): void {
    const grown = this.#cast.actors.flatMap((actor) => {
      const [now, then] = [socketsOf(actor), before.get(actor.role) ?? 0];
      // A pool grows under load; beyond what it may have, something is left behind.
      return now > then * 1.1 + 15 ? [`${actor.proc} has ${now}, in the beginning such a process had ${then}`] : [];
    });
    this.#fault("I10", "processes have more sockets open than before", grown);
  }

  #fault(rule: string, what: string, examples: readonly string[]): void {
    this.#violations.push(...violated(rule, what, examples));
  }

  #report(rest: Pick<SoakReport, "reasons" | "recoveredMs" | "drainedMs">): SoakReport {
    const counts: Record<string, number> = {};
    for (const { f, type } of this.#history.read()) if (type !== "invoke") counts[`${f} ${type}`] = (counts[`${f} ${type}`] ?? 0) + 1;
    const violations = this.#violations;
    const verdict = violations.length > 0 ? "invalid" : rest.reasons.length > 0 ? "unknown" : "valid";
    return { verdict, violations, struck: this.#nemesis.struck, counts, folder: this.#folder, ...rest };
  }
}
