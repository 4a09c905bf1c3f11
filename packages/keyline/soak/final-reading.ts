import { prefix, type SoakStage } from "./stage.ts";

interface EffectRow {
  readonly msg: string;
  readonly attempt: number;
  readonly proc: string;
  /** When its transaction began, in milliseconds since 1970: the job was claimed after that, and by whoever holds its row nobody is overtaken. */
  readonly at: number;
}

interface TourEffect {
  readonly msg: string;
  /** A step, or `end`. */
  readonly part: string;
  readonly value: string;
}

interface LegEffect {
  readonly msg: string;
  readonly leg: number;
  readonly value: string;
}

interface TripEffect {
  readonly msg: string;
  /** How many children it was to have, and what it was told of those it had. */
  readonly legs: number;
  readonly told: readonly string[];
}

interface DeadRow {
  readonly msg: string;
  readonly attempts: number;
}

interface RecordRow {
  readonly id: string;
  readonly msg: string;
  readonly key: string;
}

/** What both stores hold in the end. Without it nothing can be said of a run. */
export interface FinalReading {
  /** What producers wrote in the transactions that added jobs. */
  readonly orders: readonly string[];
  readonly effects: readonly EffectRow[];
  readonly ordersDead: readonly DeadRow[];
  readonly tourEffects: readonly TourEffect[];
  /** Tours that are remembered as cancelled. */
  readonly toursCancelled: readonly string[];
  readonly toursDead: readonly string[];
  readonly legEffects: readonly LegEffect[];
  readonly tripEffects: readonly TripEffect[];
  /** Trips and their children. */
  readonly tripsDead: readonly string[];
  readonly mailsDead: readonly string[];
  /** Outings and their children. */
  readonly outingsDead: readonly string[];
  /** What the accounts say, and what the transfers come to. */
  readonly accounts: readonly { readonly total: number; readonly transfers: number }[];
  /** The channel's history, in its order. */
  readonly kept: readonly string[];
  readonly record: readonly RecordRow[];
  readonly eventEffects: readonly { readonly entry: string; readonly key: string }[];
  readonly mirror: readonly string[];
  readonly hot: readonly string[];
  /** What is left of the plain stream. */
  readonly readings: readonly { readonly id: string; readonly msg: string }[];
  /** Things that are there and that nothing needs any more. */
  readonly residue: readonly string[];
}

const eventId = "(position >> 20) || '-' || (position & 1048575)";

export async function readFinal(stage: SoakStage): Promise<FinalReading> {
  const { valkey, shapes } = stage;
  const rows = async <Row extends object>(text: string): Promise<Row[]> => (await stage.pool.query(text)).rows as Row[];
  const messages = async (key: string): Promise<{ id: string; msg: string }[]> =>
    (await valkey.xrange(`${prefix}:${key}`, "-", "+")).map(([id, fields]) => ({ id, msg: msgOf(fields[fields.indexOf("data") + 1]) }));
  const [mailsDead, outingsDead] = [await deadOf(shapes.mails), [...(await deadOf(shapes.outings)), ...(await deadOf(shapes.stops))]];
  return {
    orders: (await rows<{ msg: string }>("SELECT msg FROM orders")).map(({ msg }) => msg),
    effects: await rows<EffectRow>("SELECT msg, attempt, proc, (extract(epoch FROM at) * 1000)::float8 AS at FROM effects ORDER BY at"),
    ordersDead: await rows<DeadRow>("SELECT data->>'msg' AS msg, attempts FROM keyline.job WHERE queue = 'orders' AND state = 'dead'"),
    tourEffects: await rows<TourEffect>("SELECT msg, part, value FROM tour_effects"),
    toursCancelled: (await rows<{ id: string }>("SELECT id FROM keyline.outcome WHERE queue = 'tours' AND outcome = 'cancelled'")).map(
      ({ id }) => id,
    ),
    toursDead: (await rows<{ id: string }>("SELECT id FROM keyline.job WHERE queue = 'tours' AND state = 'dead'")).map(({ id }) => id),
    legEffects: await rows<LegEffect>("SELECT msg, leg, value FROM leg_effects"),
    tripEffects: await rows<TripEffect>("SELECT msg, legs, told FROM trip_effects"),
    tripsDead: (
      await rows<{ id: string }>("SELECT queue || '/' || id AS id FROM keyline.job WHERE queue IN ('trips', 'legs') AND state = 'dead'")
    ).map(({ id }) => id),
    mailsDead,
    outingsDead,
    accounts: await rows("SELECT total, (SELECT count(*)::integer FROM transfers WHERE account = id) AS transfers FROM accounts"),
    kept: (await messages("{news}:history")).map(({ msg }) => msg),
    record: await rows<RecordRow>(
      `SELECT ${eventId} AS id, data::json->>'msg' AS msg, key FROM keyline.event WHERE stream = 'events' AND position >= 0 ORDER BY position`,
    ),
    eventEffects: await rows("SELECT entry, key FROM event_effects ORDER BY place"),
    mirror: (await rows<{ entry: string }>("SELECT entry FROM mirror ORDER BY place")).map(({ entry }) => entry),
    hot: (await messages("{events}:events")).map(({ id }) => id),
    readings: await messages("{readings}:events"),
    residue: await findResidue(stage),
  };
}

async function deadOf(queue: Pick<SoakStage["shapes"]["mails"], "deadLetters">): Promise<string[]> {
  const dead: string[] = [];
  for await (const { data } of queue.deadLetters()) if (isMessage(data)) dead.push(data.msg);
  return dead;
}

/** With all processes gone: what a queue has left, sessions in a transaction, rows that nobody will look at. */
async function findResidue({ valkey, pool, shapes }: SoakStage): Promise<string[]> {
  const residue: string[] = [];
  for (const queue of [shapes.orders, shapes.tours, shapes.trips, shapes.legs, shapes.mails, shapes.outings, shapes.stops]) {
    const { waiting, running, scheduled } = await queue.counts();
    if (waiting + running + scheduled > 0)
      residue.push(`queue ${queue.name} has ${waiting} waiting, ${running} running, ${scheduled} scheduled`);
  }
  for (const key of await valkey.keys(`${prefix}:{orders}:*`))
    if (!/:(epoch|gone|signals|swept|worker:[\w-]+|rates:(hours|[a-z:]*\d+)|dead(:\w+)?)$/.test(key)) residue.push(`key ${key}`);
  // What a worker has said of itself stays for two leases where it was killed.
  // A mark of a job that was cancelled stays for a while where the call or the worker was killed.
  for (const key of await valkey.keys(`${prefix}:{tours}:*`))
    if (!/:(epoch|gone|signals|swept|worker:[\w-]+|ends|tracked|cancelled|gates|gated|rates:(hours|[a-z:]*\d+)|dead(:\w+)?)$/.test(key))
      residue.push(`key ${key}`);
  for (const key of await valkey.keys(`${prefix}:{mails}:*`))
    if (!/:(gone|worker:[\w-]+|rates:(hours|[a-z:]*\d+)|dead(:\w+)?)$/.test(key)) residue.push(`key ${key}`);
  const { rows } = await pool.query<{ what: string; count: number }>(
    `SELECT 'open rows of jobs' AS what, count(*)::integer AS count FROM keyline.job WHERE state NOT IN ('dead', 'cancelled')
     UNION ALL SELECT 'steps of jobs that have ended', count(*)::integer FROM keyline.step
     UNION ALL SELECT 'signals to jobs that have ended', count(*)::integer FROM keyline.job_signal
     UNION ALL SELECT 'children of jobs that have ended', count(*)::integer FROM keyline.family_child
     UNION ALL SELECT 'events without a place', count(*)::integer FROM keyline.event WHERE position < 0
     UNION ALL SELECT 'unpublished messages', count(*)::integer FROM keyline.message
     UNION ALL SELECT 'sessions idle in a transaction', count(*)::integer FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'`,
  );
  for (const { what, count } of rows) if (count > 0) residue.push(`${count} ${what}`);
  return residue;
}

function msgOf(data: string | undefined): string {
  try {
    const value: unknown = JSON.parse(data ?? "");
    return isMessage(value) ? value.msg : "";
  } catch {
    return "";
  }
}

function isMessage(value: unknown): value is { readonly msg: string } {
  return typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string";
}
