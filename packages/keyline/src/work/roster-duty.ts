import { Alarm } from "../runtime/alarm.ts";
import { performance } from "../runtime/clock.ts";
import type { Duty } from "../runtime/duty.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ShiftDuty } from "./shift-parts.ts";

/** Where workers and consumers say what they are, and, while somebody asks, what they run. */
interface Roster {
  /** It is known for twice as long as its lease. */
  say(name: string, about: string, leaseMs: number): Promise<void>;
  /** Returns whether somebody asks: if nobody does, it is not written. */
  report(name: string, text: string): Promise<boolean>;
  /** It is gone: nothing of it is needed any more. */
  forget(name: string): Promise<void>;
  /** It will be refused again. */
  isRefused(error: unknown): boolean;
}

/** What a renewal of the lease shows of it. */
export interface RosterBeat {
  /** What it has said of itself is gone. */
  readonly unknown?: number;
  /** Somebody asks what it runs. */
  readonly watched?: number;
}

interface RosterDutyParts {
  readonly roster: Roster;
  readonly lease: { readonly name: string; readonly isHeld: boolean };
  readonly leaseMs: number;
  readonly about: string;
  /** What it runs now. */
  readonly describe: () => string;
  readonly logger: Logger;
}

const reportEveryMs = 1_000;
/** A store that refused it will do so again: each try is a line in the server's log. */
const pauseMs = 3_600_000;

/** The duty by which operators see a worker or a consumer: who it is, and what it runs. Nothing depends on it, so nothing that fails here matters to anybody else. */
export class RosterDuty implements ShiftDuty<unknown, RosterBeat>, Duty {
  readonly #parts: RosterDutyParts;
  readonly #alarm = new Alarm(() => this.#report(), { mayEnd: true });
  readonly #saying = new Alarm(() => this.#say(), { mayEnd: true });
  #pausedUntil = -Infinity;
  #hasFailed = false;

  constructor(parts: RosterDutyParts) {
    this.#parts = parts;
  }

  start(): void {
    // It begins with the lease.
  }

  async stop(): Promise<void> {
    await Promise.all([this.#alarm.stop(), this.#saying.stop()]);
    const { roster, lease } = this.#parts;
    await this.#try(() => roster.forget(lease.name));
  }

  noteBegun(): void {
    this.#saying.set(0);
  }

  follow({ unknown, watched }: RosterBeat): void {
    if (unknown) this.#saying.set(0);
    if (watched) this.look();
  }

  /** Somebody may ask what it runs. */
  look(): void {
    this.#alarm.set(0);
  }

  async #say(): Promise<void> {
    const { roster, lease, leaseMs, about } = this.#parts;
    await this.#try(() => roster.say(lease.name, about, leaseMs));
  }

  async #report(): Promise<void> {
    const { roster, lease, describe } = this.#parts;
    if (await this.#try(() => roster.report(lease.name, describe()))) this.#alarm.set(reportEveryMs);
  }

  async #try<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const { lease, roster, logger } = this.#parts;
    if (!lease.isHeld || performance.now() < this.#pausedUntil) return undefined;
    try {
      return await work();
    } catch (error) {
      // After all else the next renewal of the lease says what is missing.
      if (roster.isRefused(error)) this.#pausedUntil = performance.now() + pauseMs;
      if (!this.#hasFailed) logger.debug({ error: toError(error).message }, "what a worker is and runs could not be written for operators");
      this.#hasFailed = true;
      return undefined;
    }
  }
}
