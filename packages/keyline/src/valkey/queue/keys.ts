/** Every key of a queue. The braces are its hash tag: all of them live in one slot of a cluster, and a script may touch them all. */
export class QueueKeys {
  readonly waiting: string;
  readonly workers: string;
  readonly gone: string;
  readonly scheduled: string;
  readonly high: string;
  readonly low: string;
  readonly groups: string;
  readonly lines: string;
  readonly gates: string;
  readonly paused: string;
  readonly wake: string;
  readonly signals: string;
  readonly schedules: string;
  readonly ticks: string;
  readonly dead: string;
  readonly ids: string;
  readonly ends: string;
  readonly events: string;
  readonly families: string;
  readonly familyOwing: string;
  readonly epoch: string;
  readonly run: string;
  readonly rights: string;
  readonly watched: string;
  readonly swept: string;
  readonly rates: string;
  readonly #base: string;
  readonly #heldPrefix: string;
  readonly #progressPrefix: string;
  readonly #linePrefix: string;
  readonly #childrenPrefix: string;

  constructor(prefix: string, queue: string) {
    const base = `${prefix}:{${queue}}:`;
    /** List: jobs that wait; added at the left, taken from the right. */
    this.waiting = `${base}waiting`;
    /** Sorted set: worker -> end of its lease, in the server's milliseconds. */
    this.workers = `${base}workers`;
    /** Sorted set: worker whose held list was returned -> when; a move that was under way may still fill that list. */
    this.gone = `${base}gone`;
    /** Sorted set: jobs that wait for their next attempt, by due time in the server's milliseconds. */
    this.scheduled = `${base}scheduled`;
    /** Lists: jobs of high and of low priority, like `waiting`. */
    this.high = `${base}waiting:high`;
    this.low = `${base}waiting:low`;
    /** Hash: group -> its jobs on the queue; see scripts/groups.lua. */
    this.groups = `${base}grouped`;
    /** Hash: jobs that stand in the lines of their groups, by the job before each; see scripts/lines.lua. */
    this.lines = `${base}lines`;
    /** Hash: what keeps jobs from being taken; see scripts/gates.lua. */
    this.gates = `${base}gates`;
    /** Set: groups that are paused. */
    this.paused = `${base}paused`;
    /** List: a token for one of the workers that wait for a gate to open. */
    this.wake = `${base}wake`;
    /** Stream: what workers are told at once. */
    this.signals = `${base}signals`;
    /** Hash: schedules of a plain queue, by their names. */
    this.schedules = `${base}schedules`;
    /** Sorted set: schedule of a plain queue -> its next tick, in the server's milliseconds. */
    this.ticks = `${base}ticks`;
    /** Sorted set: dead letters of a plain queue, by the time of their death in the server's microseconds; scripts/letter.lua has what belongs to it. */
    this.dead = `${base}dead`;
    /** Set: ids that callers chose, of jobs of a plain queue that are not settled. */
    this.ids = `${base}ids`;
    /** Stream: jobs that have ended, for those who wait for them; see scripts/tell-end.lua. */
    this.ends = `${base}ends`;
    /** Stream: what becomes of jobs, for those who follow it; see scripts/tell-event.lua. */
    this.events = `${base}feed`;
    /** Sorted set: parents that are to be looked after. Set: whose children have ended; see scripts/family.lua. */
    this.families = `${base}families`;
    this.familyOwing = `${base}family-owing`;
    /** String: the epoch, which is another one after the server lost its memory or a replica took over. */
    this.epoch = `${base}epoch`;
    /** String: what names the server's process for users who may not use INFO; see client/run-mark.ts. */
    this.run = `${base}run`;
    /** There for as long as it is looked what this user may do; see client/rights.ts. */
    this.rights = `${base}rights`;
    /** String: there while somebody asks what workers run. */
    this.watched = `${base}watched`;
    /** String: there while nobody is to look through the schedule, as somebody does or has done so. */
    this.swept = `${base}swept`;
    /** Hashes: what was done in a minute, rates:<minute>, or an hour, rates:hour:<hour>; and how much there was in each minute of an hour, rates:depth:<hour>. Sorted set rates:hours: of which hours there is something. */
    this.rates = `${base}rates:`;
    this.#base = base;
    this.#heldPrefix = `${base}held:`;
    this.#progressPrefix = `${base}progress:`;
    this.#linePrefix = `${base}line:`;
    this.#childrenPrefix = `${base}family-children:`;
  }

  /** String: what a worker has said of itself; with `:jobs` what it runs, while somebody asks. */
  worker(name: string): string {
    return `${this.#base}worker:${name}`;
  }

  /** Where jobs wait, as scripts/look.lua names it. */
  at(place: string): string {
    return this.#base + place;
  }

  /** Sorted set: jobs of a group that wait for their turn and have a place of their own among all; see scripts/groups.lua. */
  line(group: string): string {
    return this.#linePrefix + group;
  }

  /** Hash: children of a batch that have come to this queue; see scripts/family.lua. */
  familyChildren(batch: string): string {
    return this.#childrenPrefix + batch;
  }

  /** String: what became of a job whose result is kept, as JSON. */
  outcome(id: string): string {
    return `${this.#base}outcome:${id}`;
  }

  /** String: how far a job is, as JSON. */
  progress(id: string): string {
    return this.#progressPrefix + id;
  }

  /** List: what one worker holds, in the order in which it took it. */
  held(worker: string): string {
    return this.#heldPrefix + worker;
  }
}
