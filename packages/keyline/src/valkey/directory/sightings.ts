/*
 * DESIGN. Who uses a queue, a stream or a channel says so, so that an operator finds it (keyline.directory). Whoever uses it touches its sighting: that is a look at a
 * flag, and costs no command. Once a minute one command for all names of a kind notes those that were touched since, and those that are held, as by a worker that waits. A name
 * that this process has not noted yet goes out at once, with others that are new: the next of them a second later.
 *
 * Nothing depends on it: what cannot be written is written later, and nobody hears of it but the log.
 */
import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { lastingFaultOf } from "../client/faults.ts";
import type { NamedThing, NameSet, SeenName } from "./name-set.ts";

const defaultRoundMs = 60_000;
const readyWithinMs = 2_000;
const readySoonMs = 1_000;
const newEveryMs = 1_000;
/** Rights come by somebody who gives them: until then each try is a line in the server's log. */
const refusedRoundMs = 3_600_000;

/** A name as this process uses it. */
export class Sighting implements NamedThing {
  readonly name: string;
  readonly traits: readonly string[];
  readonly #noteUse: () => void;
  readonly #hold: () => () => void;
  #onFirstUse: (() => void) | undefined;
  /** What was used since it was written last. */
  isDue = false;
  /** This process has written it before. */
  isKnown = false;

  constructor(
    { name, traits }: NamedThing,
    {
      noteUse,
      hold,
      onFirstUse,
    }: {
      readonly noteUse: (sighting: Sighting) => void;
      readonly hold: (sighting: Sighting) => () => void;
      readonly onFirstUse: (() => void) | undefined;
    },
  ) {
    this.name = name;
    this.traits = traits;
    this.#noteUse = () => noteUse(this);
    this.#hold = () => hold(this);
    this.#onFirstUse = onFirstUse;
  }

  /** It is used now. */
  touch(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.#onFirstUse?.();
    this.#onFirstUse = undefined;
    this.#noteUse();
  }

  /** It is in use until the returned function is called. */
  hold(): () => void {
    return this.#hold();
  }
}

/** The names of one kind that this process uses. */
export class Sightings implements Duty {
  readonly #names: NameSet;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#ring(), { mayEnd: true });
  readonly #due = new Set<Sighting>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #held = new Map<Sighting, number>();
  /** All that this process has ever used: it has an object for each anyway. */
  readonly #used = new Set<Sighting>();
  #lastRead: readonly SeenName[] | undefined;
  readonly #stopListening: () => void;
  readonly #roundMs: number;
  #roundAt = -Infinity;
  #newAt = -Infinity;
  #hasFailed = false;

  constructor(names: NameSet, logger: Logger, roundMs = defaultRoundMs) {
    this.#names = names;
    this.#logger = logger;
    this.#roundMs = roundMs;
    this.#stopListening = names.connection.onReady(() => {
      if (this.#due.size > 0 || this.#held.size > 0) this.#alarm.set(0);
    });
  }

  /** The sighting of a name; nothing is said of it before it is touched. */
  of(thing: NamedThing, onFirstUse?: () => void): Sighting {
    return new Sighting(thing, {
      onFirstUse,
      noteUse: (sighting) => this.#noteUse(sighting),
      hold: (sighting) => this.#hold(sighting),
    });
  }

  start(): void {
    // It begins with the first use.
  }

  /** Writes what this process has never written. */
  async stop(): Promise<void> {
    this.#stopListening();
    await this.#alarm.stop();
    await this.#write(this.#new());
  }

  /** Writes all that is due. Throws VALKEY_UNAVAILABLE; what is not permitted is left. */
  async flush(): Promise<void> {
    await this.#names.connection.ensureReady(readyWithinMs);
    await Promise.all([this.#write([...this.#due]), ...this.#underWay]);
  }

  /** All names of this kind, whoever uses them; those that this process has just used included. Throws VALKEY_UNAVAILABLE, and where they are `optional` soon. */
  async read({ optional = false } = {}): Promise<readonly SeenName[]> {
    const { connection } = this.#names;
    await (optional ? connection.ensureReadySoon(readySoonMs) : connection.ensureReady(readyWithinMs));
    // Also what is on its way: a script that the server does not know is sent twice, and would come behind.
    await Promise.all([this.#write(this.#new()), ...this.#underWay]);
    return (this.#lastRead = await this.#names.read());
  }

  /** What there was when it could be read last, for when Valkey is away; undefined where it never could. */
  get lastRead(): readonly SeenName[] | undefined {
    return this.#lastRead;
  }

  /** What this process has used since it began. */
  used(): readonly NamedThing[] {
    return [...this.#used];
  }

  /** What this process uses, or has used since it was written last. */
  inUse(): readonly NamedThing[] {
    return [...new Set([...this.#held.keys(), ...this.#due])];
  }

  #noteUse(sighting: Sighting): void {
    this.#due.add(sighting);
    this.#used.add(sighting);
    this.#set(sighting.isKnown ? this.#roundAt : this.#newAt);
  }

  #hold(sighting: Sighting): () => void {
    this.#held.set(sighting, (this.#held.get(sighting) ?? 0) + 1);
    sighting.touch();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#held.get(sighting) ?? 1) - 1;
      if (left > 0) this.#held.set(sighting, left);
      else this.#held.delete(sighting);
    };
  }

  #new(): readonly Sighting[] {
    return [...this.#due].filter(({ isKnown }) => !isKnown);
  }

  #set(at: number): void {
    this.#alarm.set(Math.max(0, at - performance.now()));
  }

  async #ring(): Promise<void> {
    // It rings again when Valkey is there.
    if (!this.#names.connection.isReady) return;
    const now = performance.now();
    this.#newAt = now + newEveryMs;
    const isRound = now >= this.#roundAt;
    if (isRound) this.#roundAt = now + this.#roundMs;
    if (isRound) for (const sighting of this.#held.keys()) this.#due.add(sighting);
    await this.#write(isRound ? [...this.#due] : this.#new());
    if (this.#due.size > 0 || this.#held.size > 0) this.#set(this.#roundAt);
  }

  /** Never rejects. */
  #write(sightings: readonly Sighting[]): Promise<void> {
    const writing = this.#send(sightings).finally(() => this.#underWay.delete(writing));
    this.#underWay.add(writing);
    return writing;
  }

  async #send(sightings: readonly Sighting[]): Promise<void> {
    if (sightings.length === 0 || !this.#names.connection.isReady) return;
    for (const sighting of sightings) {
      this.#due.delete(sighting);
      // What is used while this is on its way counts for the next.
      sighting.isDue = false;
      sighting.isKnown = true;
    }
    try {
      await this.#names.note(sightings);
      this.#hasFailed = false;
    } catch (error) {
      for (const sighting of sightings) {
        sighting.isDue = true;
        this.#due.add(sighting);
      }
      if (lastingFaultOf(error)) this.#roundAt = this.#newAt = performance.now() + refusedRoundMs;
      if (!this.#hasFailed)
        this.#logger.debug({ error: toError(error).message }, "what this process uses could not be noted in the directory");
      this.#hasFailed = true;
    }
  }
}
