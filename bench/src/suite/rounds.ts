import type { Bench } from "./bench.ts";
import type { Case, Costs, Measurement } from "./case.ts";
import type { Count } from "../process/headway.ts";
import { NoProgress } from "../process/watchdog.ts";
import { median } from "./median.ts";
import { PeerMissing } from "./peer-missing.ts";

export interface ContenderResult {
  readonly contender: string;
  /** The medians over the rounds. */
  readonly figures: Readonly<Record<string, number>>;
  readonly costs?: Costs;
  readonly rounds: readonly Measurement[];
}

/** A contender without figures. */
interface Failure {
  readonly contender: string;
  readonly round: number;
  readonly reason: string;
  /** How far it was, where it was ended because it came no further. */
  readonly stoppedAt?: readonly Count[];
  /** What it had: its rounds before. */
  readonly rounds: readonly Measurement[];
}

export interface CaseResult {
  readonly benchCase: Case;
  readonly contenders: readonly ContenderResult[];
  readonly failures: readonly Failure[];
  /** One line per contender that this machine does not have: it was left out. */
  readonly missing: readonly string[];
}

export type Progress = (line: string) => void;

/**
 * Runs the contenders one after the other, round by round, so that a slow minute of the machine hits all of them alike. Each round begins with another one: who comes first finds
 * the machine in another state than who comes after him.
 */
export async function runRounds(benchCase: Case, bench: Bench, rounds: number, progress: Progress): Promise<CaseResult> {
  const measured = new Map<string, Measurement[]>();
  const failures: Failure[] = [];
  const missing: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const contender of rotated(benchCase.contenders, round - 1)) {
      if (failures.some((failure) => failure.contender === contender) || missing.some((line) => line.startsWith(`${contender}: `)))
        continue;
      try {
        const measurement = await bench.watch(() => benchCase.run(contender, bench));
        measured.set(contender, [...(measured.get(contender) ?? []), measurement]);
        progress(`${benchCase.name} ${contender} ${round}/${rounds} ${describe(measurement)}`);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (error instanceof PeerMissing) missing.push(`${contender}: ${reason}`);
        else failures.push({ contender, round, reason, ...stopOf(error), rounds: measured.get(contender) ?? [] });
        progress(`${benchCase.name} ${contender} ${round}/${rounds} ${error instanceof PeerMissing ? "left out" : "failed"}: ${reason}`);
      }
    }
  }
  const contenders = benchCase.contenders.flatMap((contender) => {
    const all = measured.get(contender) ?? [];
    return all.length === rounds ? [summarize(contender, all)] : [];
  });
  return { benchCase, contenders, failures, missing };
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

function stopOf(error: unknown): Pick<Failure, "stoppedAt"> {
  return error instanceof NoProgress ? { stoppedAt: error.counts } : {};
}

function summarize(contender: string, rounds: readonly Measurement[]): ContenderResult {
  const costs = medianCosts(rounds);
  const figures = medians(rounds.map((round) => round.figures));
  return { contender, figures, rounds, ...(costs && { costs }) };
}

function medianCosts(rounds: readonly Measurement[]): Costs | undefined {
  const all = rounds.flatMap((round) => (round.costs ? [round.costs] : []));
  if (all.length === 0) return undefined;
  const postgresCpu = all.flatMap((costs) => (costs.postgresCpuUs === undefined ? [] : [costs.postgresCpuUs]));
  const natsCpu = all.flatMap((costs) => (costs.natsCpuUs === undefined ? [] : [costs.natsCpuUs]));
  return {
    valkeyCommands: median(all.map((costs) => costs.valkeyCommands)),
    valkeyCpuUs: median(all.map((costs) => costs.valkeyCpuUs)),
    valkeyBytes: median(all.map((costs) => costs.valkeyBytes)),
    clientCpuUs: median(all.map((costs) => costs.clientCpuUs)),
    ...(postgresCpu.length > 0 && { postgresCpuUs: median(postgresCpu) }),
    ...(natsCpu.length > 0 && { natsCpuUs: median(natsCpu) }),
  };
}

function medians(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(all.map((figures) => figures[name] ?? Number.NaN))]));
}

function describe(measurement: Measurement): string {
  return Object.entries(measurement.figures)
    .map(([name, value]) => `${name} ${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))}`)
    .join(", ");
}
