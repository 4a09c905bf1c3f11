import type { Bench } from "./bench.ts";

/** What a figure is called in a table, and which way is better. */
export interface FigureKind {
  readonly label: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
}

/** The parts of the chart. */
export type Part = "Queues" | "Channels and gateway" | "Streams";

/** Server and client effort per job or message, where the case could measure it. */
export interface Costs {
  readonly valkeyCommands: number;
  readonly valkeyCpuUs: number;
  readonly valkeyBytes: number;
  /** Missing where the operating system has no /proc. */
  readonly postgresCpuUs?: number;
  /** Of a contender's own server, where it brings one. */
  readonly natsCpuUs?: number;
  readonly clientCpuUs: number;
}

export interface Measurement {
  readonly figures: Readonly<Record<string, number>>;
  readonly costs?: Costs;
}

/**
 * A bound on one figure of one contender (the case's first, unless `of` names another): on its ratio to the
 * best of `against`, or on the figure itself when there is nobody to compare with.
 */
export interface Goal {
  readonly figure: string;
  readonly of?: string;
  readonly against?: readonly string[];
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Case {
  readonly name: string;
  readonly title: string;
  /** Default: queues. */
  readonly part?: Part;
  /** What costs are shared out among. Default: jobs. */
  readonly costsPer?: "job" | "message" | "entry";
  /** In the order in which they run within a round. The first one is what the goals are about. */
  readonly contenders: readonly string[];
  readonly figures: Readonly<Record<string, FigureKind>>;
  readonly goals: readonly Goal[];
  /** Runs one contender once and throws when what was delivered is not exactly what was added. */
  readonly run: (contender: string, bench: Bench) => Promise<Measurement>;
}

export const throughput: FigureKind = { label: "throughput", unit: "jobs/s", better: "higher" };
