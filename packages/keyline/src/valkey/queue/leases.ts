import type { ValkeyConnection } from "../client/connection.ts";
import { registerLease } from "../client/register-lease.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const beat = script(4, "beat", "base", "beat-due", "beat-tick", "beat-gates", "beat-tracked", "beat-families", "beat-roster", "beat-end");
const returnHeld = script(4, "oom", "base", "place", "lines", "groups", "tell-end", "tell-event", "family", "cancelled", "return-held");

/** What a renewal of the lease tells a worker's duties: each part of the script adds what one of them needs. */
export interface Beat {
  /** How many jobs the held list has. */
  readonly held: number;
  /** A worker whose lease has ended. */
  readonly ended?: string;
  /** Milliseconds until the next scheduled job is due. */
  readonly due?: number;
  /** Milliseconds until the next tick of a schedule is due. */
  readonly tick?: number;
  /** The queue has gates. */
  readonly gates?: number;
  /** Jobs of the queue are parents or children. */
  readonly families?: number;
  /** What the worker has said of itself is gone. */
  readonly unknown?: number;
  /** Somebody asks what workers run. */
  readonly watched?: number;
  /** Who listens to what becomes of jobs, separated by spaces. */
  readonly tracked?: string;
}

export type ReturnReason = "ended" | "leaving" | "straggler";

/** The leases of the workers of one queue, and what those leave behind whose lease has ended. */
export class Leases {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async register(worker: string, leaseMs: number): Promise<void> {
    await registerLease.run(this.#connection, [this.#keys.workers, worker, leaseMs]);
  }

  /** Renews the lease; `undefined` when it is lost. */
  async beat(worker: string, leaseMs: number): Promise<Beat | undefined> {
    const { workers, scheduled, ticks } = this.#keys;
    const reply = await beat.run(this.#connection, [workers, this.#keys.held(worker), scheduled, ticks, worker, leaseMs]);
    return reply === 0 ? undefined : readBeat(reply as (string | number)[]);
  }

  /** Returns a page of what the worker holds to the head of the queue; `undefined` when its lease goes on. */
  async returnHeld(
    worker: string,
    page: number,
    reason: ReturnReason,
  ): Promise<{ readonly left: number; readonly returned: readonly string[] } | undefined> {
    const { workers, gone, waiting } = this.#keys;
    const reply = (await returnHeld.run(this.#connection, [workers, gone, waiting, this.#keys.held(worker), worker, page, reason])) as
      0 | [number, ...string[]];
    if (reply === 0) return undefined;
    const [left, ...returned] = reply;
    return { left, returned };
  }

  /** Workers that are gone and may have left a move under way, after forgetting those gone for longer than `forgetAfterMs`. */
  async goneWorkers(forgetAfterMs: number): Promise<readonly string[]> {
    const { client } = this.#connection;
    if (Number.isFinite(forgetAfterMs)) {
      const [seconds] = await client.time();
      await client.zremrangebyscore(this.#keys.gone, "-inf", Number(seconds) * 1_000 - forgetAfterMs);
    }
    return client.zrange(this.#keys.gone, 0, -1);
  }

  heldCount(worker: string): Promise<number> {
    return this.#connection.client.llen(this.#keys.held(worker));
  }

  /** Those whose lease goes on. */
  async live(): Promise<string[]> {
    const { client } = this.#connection;
    const [seconds] = await client.time();
    return client.zrange(this.#keys.workers, Number(seconds) * 1_000, "+inf", "BYSCORE");
  }

  workers(): Promise<string[]> {
    return this.#connection.client.zrange(this.#keys.workers, 0, -1);
  }
}

function readBeat(namesAndValues: readonly (string | number)[]): Beat {
  const fields: Record<string, string | number | undefined> = { held: 0 };
  for (let index = 0; index < namesAndValues.length; index += 2) fields[String(namesAndValues[index])] = namesAndValues[index + 1];
  return fields as unknown as Beat;
}
