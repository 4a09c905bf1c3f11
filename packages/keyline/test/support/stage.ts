import { startPostgres, startValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline, type KeylineOptions, type Logger } from "keyline";
import pg from "pg";
import { inject } from "vitest";

/** What a test file works with: connections of its own, a prefix and a database that nobody else uses, and a log to look into. */
export interface Stage {
  readonly prefix: string;
  readonly valkeyUrl: string;
  readonly databaseUrl: string;
  readonly valkey: Valkey;
  readonly pool: pg.Pool;
  readonly log: LogLine[];
  /** A Keyline on these servers, closed with the stage. */
  keyline(options?: Partial<KeylineOptions>): Keyline;
  close(): Promise<void>;
}

interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly details: object;
}

let stages = 0;

/** On the shared servers, or on those of the given addresses. */
export async function openStage(servers: { readonly valkeyUrl?: string; readonly postgresUrl?: string } = {}): Promise<Stage> {
  const valkeyUrl = servers.valkeyUrl ?? inject("valkeyUrl");
  const name = `t_${process.pid}_${Date.now().toString(36)}_${stages++}`;
  const databaseUrl = await createDatabase(servers.postgresUrl ?? inject("postgresUrl"), name);
  const valkey = new Valkey(valkeyUrl.replace("valkey:", "redis:"), { maxRetriesPerRequest: null });
  valkey.on("error", () => undefined);
  // What others have there would be gone.
  if (servers.valkeyUrl === undefined) valkey.flushall = () => Promise.reject(new Error("other tests use this Valkey: open a quiet stage"));
  const pool = new pg.Pool({ connectionString: databaseUrl });
  pool.on("error", () => undefined);
  const opened: Keyline[] = [];
  const log: LogLine[] = [];
  return {
    prefix: name,
    valkeyUrl,
    databaseUrl,
    valkey,
    pool,
    log,
    keyline: (options = {}) => {
      const keyline = new Keyline({ valkey: valkeyUrl, postgres: databaseUrl, prefix: name, logger: logInto(log), ...options });
      opened.push(keyline);
      return keyline;
    },
    close: async () => {
      await Promise.all(opened.map((keyline) => keyline.close()));
      valkey.disconnect();
      await pool.end();
    },
  };
}

/** With a Valkey that nobody else asks: what it was asked can be counted, and its connections can be cut. */
export async function openQuietStage(): Promise<Stage> {
  const valkey = await startValkey();
  const stage = await openStage({ valkeyUrl: valkey.url });
  return {
    ...stage,
    close: async () => {
      await stage.close();
      await valkey.stop();
    },
  };
}

/** The same with a PostgreSQL of its own, which waits for its disk as one by itself does: that of all tests does not, which is a warning. */
export async function openDurableStage(): Promise<Stage & { readonly postgresUrl: string }> {
  const [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  const stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  return {
    ...stage,
    postgresUrl: postgres.url,
    close: async () => {
      await stage.close();
      await Promise.all([valkey.stop(), postgres.stop()]);
    },
  };
}

async function createDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function logInto(log: LogLine[]): Logger {
  const at =
    (level: LogLine["level"]) =>
    (details: object, message: string): void => {
      log.push({ level, message, details });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Asks until `condition` holds, and fails with `what` after `timeoutMs`: for states of servers, which nobody announces. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It did not come to pass within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Asks until nothing is left, and fails with `what` when the number has not changed for `stillMs`: a busy machine may take as long as it needs. */
export async function untilNoneIsLeft(what: string, left: () => Promise<number>, stillMs = 60_000): Promise<void> {
  let last: number | undefined;
  let changedAt = performance.now();
  for (let now = await left(); now > 0; now = await left()) {
    if (now !== last) changedAt = performance.now();
    else if (performance.now() - changedAt > stillMs)
      throw new Error(`${now} are left, and nothing has changed for ${stillMs} ms: ${what}`);
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A promise with its resolve, to hold a handler until the test lets it go. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
