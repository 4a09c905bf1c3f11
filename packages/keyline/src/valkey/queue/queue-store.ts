import type { ValkeyConnection } from "../client/connection.ts";
import type { Roster } from "../client/roster.ts";
import { Adds } from "./adds.ts";
import { Cancels } from "./cancels.ts";
import { Ends } from "./ends.ts";
import { Events } from "./events.ts";
import { Families } from "./families.ts";
import { Gates } from "./gates.ts";
import { Holding } from "./holding.ts";
import { JobPages } from "./job-pages.ts";
import type { QueueKeys } from "./keys.ts";
import { Leases } from "./leases.ts";
import { Letters } from "./letters.ts";
import { Memory } from "./memory.ts";
import { Outcomes } from "./outcomes.ts";
import { FigureLog } from "../figures/figure-log.ts";
import { DepthSamples } from "./depth-samples.ts";
import { Reads } from "./reads.ts";
import { queueRoster } from "./roster.ts";
import { Schedule } from "./schedule.ts";
import { Signals } from "./signals.ts";
import { Ticks } from "./ticks.ts";
import { Tracked } from "./tracked.ts";

/** One queue on Valkey. Every operation is one step on the server, so that nothing dies between two halves of it. */
export class QueueStore {
  readonly connection: ValkeyConnection;
  readonly keys: QueueKeys;
  readonly adds: Adds;
  readonly holding: Holding;
  readonly leases: Leases;
  readonly schedule: Schedule;
  readonly letters: Letters;
  readonly reads: Reads;
  readonly memory: Memory;
  readonly signals: Signals;
  readonly ticks: Ticks;
  readonly gates: Gates;
  readonly outcomes: Outcomes;
  readonly ends: Ends;
  readonly tracked: Tracked;
  readonly cancels: Cancels;
  readonly events: Events;
  /** What was done, minute by minute and hour by hour. */
  readonly figures: FigureLog;
  readonly depthSamples: DepthSamples;
  readonly jobPages: JobPages;
  readonly families: Families;
  readonly roster: Roster;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.connection = connection;
    this.keys = keys;
    this.adds = new Adds(connection, keys);
    this.holding = new Holding(connection, keys);
    this.leases = new Leases(connection, keys);
    this.schedule = new Schedule(connection, keys);
    this.letters = new Letters(connection, keys);
    this.reads = new Reads(connection, keys);
    this.memory = new Memory(connection, keys);
    this.signals = new Signals(connection, keys);
    this.ticks = new Ticks(connection, keys);
    this.gates = new Gates(connection, keys);
    this.outcomes = new Outcomes(connection, keys);
    this.ends = new Ends(connection, keys);
    this.tracked = new Tracked(connection, keys);
    this.cancels = new Cancels(connection, keys);
    this.events = new Events(connection, keys);
    this.figures = new FigureLog(connection, keys.rates);
    this.depthSamples = new DepthSamples(this.figures, keys);
    this.jobPages = new JobPages(connection, keys);
    this.families = new Families(connection, keys);
    this.roster = queueRoster(connection, keys);
  }
}
