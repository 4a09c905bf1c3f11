import { closed, notAnswered, offline } from "./client-error.ts";
import type { Connection } from "./connection/connection.ts";
import type { Answers, FrameOf } from "./connection/frames.ts";
import { startDeadline } from "./runtime/deadline.ts";
import type { Environment } from "./runtime/environment.ts";
import { toJson } from "./runtime/json.ts";

export interface SendOptions {
  /** For how many milliseconds to wait for a connection and the answer. Default: for no connection, and for the answer until the connection ends. */
  readonly timeout?: number | undefined;
}

export type PublishOptions = SendOptions;

export interface PublishResult {
  readonly id: string;
  /** How many subscribed processes Valkey handed it to. */
  readonly receivers: number;
}

/** What can be sent with data, and is answered once. */
export type Sendable = "publish" | "append";

/** What of the answer concerns the caller. */
export type Result<Type extends Sendable> = Omit<Answers[Type], "type" | "ref">;

interface Sending<Type extends Sendable> {
  readonly connection: Connection;
  readonly environment: Environment;
  readonly frame: FrameOf<Type>;
  readonly data: unknown;
}

/** What is sent is sent once: an answer that got lost is OUTCOME_UNKNOWN, never a reason to send again. */
export async function send<Type extends Sendable>(
  { connection, environment, frame, data }: Sending<Type>,
  { timeout = 0 }: SendOptions,
): Promise<Result<Type>> {
  const json = toJson(frame.type, data);
  const { passed, end } = startDeadline(environment, timeout > 0 ? timeout : Infinity);
  try {
    if (timeout > 0) await Promise.race([connection.settled, passed]);
    const { link } = connection;
    if (!link) throw connection.state === "closed" ? closed("This client") : offline();
    const answer = await Promise.race([link.request(frame, { key: "data", json }), passed]);
    if (!answer) throw notAnswered();
    const { type: _, ref: __, ...result } = answer;
    return result;
  } finally {
    end();
  }
}
