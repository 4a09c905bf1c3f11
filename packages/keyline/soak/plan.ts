import { seeded } from "../test/support/processes.ts";
import type { Role } from "./cast.ts";

export type FaultKind =
  | "kill"
  | "stop"
  | "terminate"
  | "flush"
  | "kill-valkey"
  | "wipe-valkey"
  | "copy-memory"
  | "restore-older"
  | "freeze-valkey"
  | "restart-postgres"
  | "kill-postgres"
  | "kill-session"
  | "end-sessions"
  | "cut"
  | "half-open"
  | "refuse"
  | "swallow"
  | "cut-before"
  | "duplicate"
  | "junk";

/** One fault of a schedule. What it does not need of its numbers it does not look at. */
export interface PlannedFault {
  readonly kind: FaultKind;
  /** Milliseconds after the end of the fault before it. */
  readonly afterMs: number;
  readonly forMs: number;
  readonly line: number;
  readonly server: "valkey" | "postgres";
  readonly role: Role;
  /** Below one: chooses among those that are there. */
  readonly dice: number;
  readonly times: number;
  readonly text: string;
}

/** How often each comes, against the others. */
const weights: Readonly<Record<FaultKind, number>> = {
  kill: 14,
  stop: 12,
  terminate: 4,
  flush: 7,
  "kill-valkey": 5,
  "wipe-valkey": 4,
  "copy-memory": 4,
  "restore-older": 4,
  "freeze-valkey": 3,
  "restart-postgres": 6,
  "kill-postgres": 3,
  "kill-session": 2,
  "end-sessions": 4,
  cut: 6,
  "half-open": 3,
  refuse: 4,
  swallow: 12,
  "cut-before": 8,
  duplicate: 5,
  junk: 2,
};

// As they are written on the wire.
const commands = ["blmove", "evalsha", "evalsha", "LPUSH", "COMMIT", "COMMIT", "keyline-insert", "keyline-settle"];
const roles: readonly Role[] = ["worker", "worker", "worker", "producer", "consumer", "subscriber"];

/**
 * The schedule of faults for a seed, without an end: the same seed gives the same one. What the processes do in between is theirs, so two runs with
 * the same schedule are two experiments.
 */
export function* planFaults(
  seed: number,
  kinds: readonly FaultKind[] = Object.keys(weights) as FaultKind[],
): Generator<PlannedFault, never> {
  const random = seeded(seed);
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low));
  const total = kinds.reduce((sum, kind) => sum + weights[kind], 0);
  for (let n = 1; ; n++) {
    let dice = random() * total;
    const kind = kinds.find((each) => (dice -= weights[each]) < 0) ?? "kill";
    const text = commands[Math.floor(random() * commands.length)] ?? "COMMIT";
    yield {
      kind,
      // A quarter of the time nothing is broken.
      afterMs: n % 4 === 0 ? between(2_000, 4_000) : between(200, 1_500),
      forMs: between(300, 3_500),
      line: Math.floor(random() * 2),
      server: random() < 0.5 ? "valkey" : "postgres",
      role: roles[Math.floor(random() * roles.length)] ?? "worker",
      dice: random(),
      times: between(1, 4),
      text,
    };
  }
}
