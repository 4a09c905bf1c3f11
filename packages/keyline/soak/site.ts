import { Keyline, type Channel, type Queue, type Stream } from "keyline";
import { seeded } from "../test/support/processes.ts";
import { HistoryWriter } from "./history.ts";

/** What a process of the soak is started with. */
export interface RoleSettings {
  readonly role: "producer" | "worker" | "consumer" | "subscriber";
  /** The place in the cast, as `worker1`: whoever is started after its end takes it over. */
  readonly slot: string;
  /** The name of this process alone, as `worker1.3`. */
  readonly proc: string;
  readonly seed: number;
  readonly folder: string;
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  /** Nothing that kills or blocks its worker is produced, and little that fails. */
  readonly isCalm: boolean;
}

/**
 * - `plain` jobs end at once, `slow` ones take up to two and a half seconds, `flaky` ones fail once;
 * - `poison` always fails, `killer` kills its process, and both are to become dead letters;
 * - `hog` blocks the event loop of its process for longer than the lease, once.
 */
export type JobKind = "plain" | "slow" | "flaky" | "poison" | "killer" | "hog";

export interface JobData {
  readonly msg: string;
  readonly kind: JobKind;
  /** Milliseconds that a slow one takes. */
  readonly work: number;
}

/**
 * - `steps` ones do two steps and end, `flaky` ones fail once in between;
 * - `sleeps` sleeps in between, and `signalled` waits for a signal, up to some seconds.
 */
type TourKind = "steps" | "flaky" | "sleeps" | "signalled";

export interface TourData {
  readonly msg: string;
  readonly kind: TourKind;
}

/** A job with children, on queues of either kind. The children of `given` ones are added with them, those of `split` ones by a step of their handler. */
export interface TripData {
  readonly msg: string;
  readonly kind: "given" | "split";
  /** How many children it is to have. */
  readonly legs: number;
}

/** A child of a trip, or of an outing. `flaky` ones fail once. */
export interface LegData {
  readonly msg: string;
  readonly leg: number;
  readonly kind: "plain" | "flaky";
}

export interface EventData {
  readonly msg: string;
  readonly key: string;
}

export const leaseMs = 1_500;
/** Of those that are to die; the others have so many that no series of faults uses them up. */
export const deadlyAttempts = 3;
export const eventKeys = 10;
const hotLength = 300;
const backoff = { type: "fixed", delay: 150, jitter: 0 } as const;

/** The shapes as every process of the soak has them, and where it writes its history. */
export interface Site {
  readonly settings: RoleSettings;
  readonly keyline: Keyline;
  readonly history: HistoryWriter;
  readonly random: () => number;
  readonly orders: Queue<JobData, JobData, true>;
  readonly tours: Queue<TourData, TourData, true>;
  readonly trips: Queue<TripData, TripData, true>;
  readonly legs: Queue<LegData, LegData, true>;
  readonly mails: Queue<JobData>;
  readonly outings: Queue<TripData>;
  readonly stops: Queue<LegData>;
  readonly news: Channel<{ readonly msg: string }>;
  readonly events: Stream<EventData, EventData, true>;
  readonly readings: Stream<EventData>;
}

export function openShapes(
  keyline: Keyline,
): Pick<Site, "orders" | "tours" | "trips" | "legs" | "mails" | "outings" | "stops" | "news" | "events" | "readings"> {
  const rules = { lease: leaseMs, maxAttempts: 1_000, backoff };
  const key = (event: EventData): string => event.key;
  return {
    orders: keyline.queue<JobData>("orders", { ...rules, transactional: true }),
    tours: keyline.queue<TourData>("tours", { ...rules, transactional: true, keepResult: 3_600_000 }),
    trips: keyline.queue<TripData>("trips", { ...rules, transactional: true }),
    legs: keyline.queue<LegData>("legs", { ...rules, transactional: true }),
    mails: keyline.queue<JobData>("mails", rules),
    outings: keyline.queue<TripData>("outings", rules),
    stops: keyline.queue<LegData>("stops", rules),
    news: keyline.channel<{ readonly msg: string }>("news", { history: { size: 1_000_000 } }),
    events: keyline.stream<EventData>("events", { transactional: true, key, retention: { maxLength: hotLength } }),
    readings: keyline.stream<EventData>("readings", { key }),
  };
}

export const consumeRules = { lease: leaseMs, maxAttempts: 1_000, backoff, concurrency: 10 };

/** As an application would connect that does not want to wait for TCP where its connection is half open. */
export function connectionTo(postgres: string): { readonly connectionString: string; readonly query_timeout: number } {
  return { connectionString: postgres, query_timeout: 10_000 };
}

export function openSite(settings: RoleSettings): Site {
  const { proc, seed, valkey, postgres, prefix } = settings;
  const report = (details: object, message: string): void => void process.stderr.write(`${proc}: ${message} ${JSON.stringify(details)}\n`);
  const quiet = (): void => undefined;
  const keyline = new Keyline({
    valkey,
    postgres: connectionTo(postgres),
    prefix,
    logger: { debug: quiet, info: quiet, warn: report, error: report },
  });
  return {
    settings,
    keyline,
    history: new HistoryWriter(settings),
    random: seeded(seed ^ hashOf(proc)),
    ...openShapes(keyline),
  };
}

function hashOf(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return hash;
}
