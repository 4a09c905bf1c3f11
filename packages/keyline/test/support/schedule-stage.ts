import { type Keyline, type Queue, type Schedule } from "keyline";
import type { Stage } from "./stage.ts";

export interface Numbered {
  readonly n: number;
}

/** Both kinds of queues, for tests of what they have in common. */
export const kinds = [
  { kind: "a plain queue", transactional: false },
  { kind: "a transactional queue", transactional: true },
] as const;

let opened = 0;

/** A queue that no other test uses, of the kind that is asked for. */
export function openQueue(keyline: Keyline, transactional: boolean, options: object = {}): Queue<Numbered, Numbered> {
  return keyline.queue<Numbered>(`queue-${opened++}`, {
    lease: 1_000,
    ...options,
    ...(transactional ? ({ transactional } as object) : {}),
  });
}

export async function listed<Value>(schedules: AsyncIterable<Schedule<Value>>): Promise<Schedule<Value>[]> {
  const all: Schedule<Value>[] = [];
  for await (const schedule of schedules) all.push(schedule);
  return all;
}

/** Whole milliseconds of the clock of the server that has the schedules. */
export async function serverTime(stage: Stage, transactional: boolean): Promise<number> {
  if (!transactional) {
    const [seconds = 0, micros = 0] = await stage.valkey.time();
    return seconds * 1_000 + Math.floor(micros / 1_000);
  }
  const { rows } = await stage.pool.query<{ now: number }>("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now");
  return rows[0]?.now ?? 0;
}

/** As if nobody had been there since `nextAt`: the tick of that time was not made. */
export async function rewind(
  stage: Stage,
  {
    queue,
    transactional,
    name,
    nextAt,
  }: { readonly queue: string; readonly transactional: boolean; readonly name: string; readonly nextAt: number },
): Promise<void> {
  if (transactional) {
    const text = "UPDATE keyline.schedule SET next_at = timestamptz 'epoch' + $3 * interval '1 millisecond' WHERE queue = $1 AND name = $2";
    await stage.pool.query(text, [queue, name, nextAt]);
    return;
  }
  const base = `${stage.prefix}:{${queue}}:`;
  const text = (await stage.valkey.hget(`${base}schedules`, name)) ?? "";
  await stage.valkey.hset(`${base}schedules`, name, text.replace(/"nextAt":\d+/, `"nextAt":${nextAt}`));
  await stage.valkey.zadd(`${base}ticks`, nextAt, name);
}
