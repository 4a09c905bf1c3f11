import { closed, notAnswered, offline } from "./client-error.ts";
import type { Connection } from "./connection/connection.ts";
import { startDeadline } from "./runtime/deadline.ts";
import type { Environment } from "./runtime/environment.ts";
import { toJson } from "./runtime/json.ts";

export interface PublishOptions {
  /** For how many milliseconds to wait for a connection and the answer. Default: for no connection, and for the answer until the connection ends. */
  readonly timeout?: number | undefined;
}

export interface PublishResult {
  readonly id: string;
  /** How many subscribed processes Valkey handed it to. */
  readonly receivers: number;
}

interface Publishing {
  readonly connection: Connection;
  readonly environment: Environment;
  readonly channel: string;
  readonly data: unknown;
}

/** What is sent is sent once: an answer that got lost is OUTCOME_UNKNOWN, never a reason to send again. */
export async function publish(
  { connection, environment, channel, data }: Publishing,
  { timeout = 0 }: PublishOptions,
): Promise<PublishResult> {
  const json = toJson(`channel ${channel}`, data);
  const { passed, end } = startDeadline(environment, timeout > 0 ? timeout : Infinity);
  try {
    if (timeout > 0) await Promise.race([connection.settled, passed]);
    const { link } = connection;
    if (!link) throw connection.state === "closed" ? closed("This client") : offline();
    const answer = await Promise.race([link.request({ type: "publish", channel }, { key: "data", json }), passed]);
    if (answer) return { id: answer.id, receivers: answer.receivers };
    throw notAnswered();
  } finally {
    end();
  }
}
