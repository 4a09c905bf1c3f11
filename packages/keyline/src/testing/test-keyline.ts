import { insidesOf } from "../insides.ts";
import { Keyline, type KeylineOptions } from "../keyline.ts";
import { createScratchDatabase, type ScratchDatabase } from "../postgres/client/scratch-database.ts";
import { KeylineError } from "../runtime/errors.ts";
import { randomTag } from "../runtime/ids.ts";
import { silentLogger, type Logger } from "../runtime/logger.ts";
import { checkInteger, checkOptionNames, checkTimeout } from "../runtime/options.ts";
import { ValkeyConnection } from "../valkey/client/connection.ts";
import { toTarget } from "../valkey/client/options.ts";
import { removePrefix } from "../valkey/client/remove-prefix.ts";
import { longestWaitMs } from "../work/outcome.ts";
import { advance } from "./advance.ts";
import { drain, type DrainOptions } from "./drain.ts";
import { embeddedPostgres, embeddedValkey } from "./embedded-servers.ts";
import type { Ran } from "./ran.ts";
import { TestRehearsal } from "./test-rehearsal.ts";

export interface TestKeylineOptions {
  /** The URL of a Valkey that is there already. Default: a private one, which all tests of a process share. */
  readonly valkey?: string | undefined;
  /**
   * The URL of a PostgreSQL that is there already, with a user who may create databases: it gets a database of its own there. `false`: none, for tests that need none. Default: a
   * private one, which all tests of a process share.
   */
  readonly postgres?: string | false | undefined;
  /** Workers and consumers run what there is as soon as it is there, as in production, and not only while `drain` does. Default false. */
  readonly live?: boolean | undefined;
  /** Default: silent. */
  readonly logger?: Logger | undefined;
}

const optionNames = new Set<string>(["valkey", "postgres", "live", "logger"] satisfies (keyof TestKeylineOptions)[]);
const drainOptionNames = new Set<string>(["timeout", "limit"] satisfies (keyof DrainOptions)[]);
const silenceMs = 5_000;

interface Place {
  readonly valkeyUrl: string;
  readonly prefix: string;
  readonly database: ScratchDatabase | undefined;
}

/** A Keyline for a test of your code, in a place of its own on real servers. */
export class TestKeyline {
  /** What your code is given. Its workers and consumers run while `drain` does. */
  readonly keyline: Keyline;
  /** The Valkey that it is on, for a Keyline of your code's own. Its keys begin with `prefix`. */
  readonly valkeyUrl: string;
  readonly prefix: string;
  readonly #place: Place;
  readonly #rehearsal: TestRehearsal;
  #draining: Promise<Ran[]> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(place: Place, { isLive, logger }: { readonly isLive: boolean; readonly logger: Logger }) {
    const { valkeyUrl, prefix, database } = place;
    const options: KeylineOptions = { valkey: valkeyUrl, prefix, logger };
    this.valkeyUrl = valkeyUrl;
    this.prefix = prefix;
    this.#place = place;
    this.#rehearsal = new TestRehearsal({ isLive });
    this.keyline = new Keyline(database ? { ...options, postgres: database.url } : options, this.#rehearsal);
  }

  /** The database that it has to itself, with the schema `keyline`: your own tables go there too. Throws POSTGRES_REQUIRED where there is none. */
  get databaseUrl(): string {
    const { database } = this.#place;
    if (database) return database.url;
    throw new KeylineError("POSTGRES_REQUIRED", "This test Keyline was made with { postgres: false }: it has no database");
  }

  /**
   * Runs everything that is due now, on the workers and consumers that were started on `keyline`, and what their handlers add, until nothing is left that is due. Returns
   * the attempts that ended since the last `drain`, in the order in which they began. What is due later, and what a limit or a pause holds back, stays where it is.
   *
   * Rejects with NOT_DRAINED when it does not come to an end: after `limit` (default 10,000) attempts, or after `timeout` milliseconds (default: none).
   *
   * @example
   * await signUp(t.keyline, "ada@example.com");
   * expect(await t.drain()).toMatchObject([{ queue: "emails", outcome: "completed" }]);
   */
  async drain(options: DrainOptions = {}): Promise<Ran[]> {
    checkOptionNames("drain", options, drainOptionNames);
    checkTimeout(options.timeout, 1);
    if (options.limit !== undefined) checkInteger("limit", options.limit, { min: 1 });
    this.#draining ??= drain(insidesOf(this.keyline), this.#rehearsal, options).finally(() => (this.#draining = undefined));
    return this.#draining;
  }

  /**
   * Lets so many milliseconds pass, without waiting: for delays, retries, schedules of queues that have a worker, deduplication, rates, and idempotency keys. What is due then
   * runs with the next `drain`. Leases, time limits of handlers and `Date.now()` do not notice.
   *
   * @example
   * await t.advance(3_600_000);
   * await t.drain();
   */
  async advance(ms: number): Promise<void> {
    checkInteger("advance", ms, { min: 0, max: longestWaitMs });
    await advance(insidesOf(this.keyline), this.#rehearsal, ms);
  }

  /** Closes the Keyline and removes what it has on both servers. What still runs is aborted. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `await using t = await createTestKeyline()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { queues, streams } = insidesOf(this.keyline);
    await Promise.all([queues.stopWorking({ timeout: 0 }), streams.stopWorking({ timeout: 0 })]);
    await this.keyline.close();
    const connection = new ValkeyConnection(toTarget(this.valkeyUrl), { logger: silentLogger, silenceMs });
    await connection.ensureReady(silenceMs);
    await removePrefix(connection, `${this.prefix}:`);
    connection.close();
    await this.#place.database?.drop();
  }
}

/**
 * A Keyline with a prefix and a database that nobody else uses, on a private Valkey and a private PostgreSQL. These are started once for a process, by the package @keyline/embedded,
 * and end with it. Throws EMBEDDED_REQUIRED without that package, unless both addresses are given.
 *
 * @example
 * await using t = await createTestKeyline();
 * t.keyline.queue<string>("emails").work((job) => send(job.data));
 * await signUp(t.keyline, "ada@example.com");
 * console.log(await t.drain());
 */
export async function createTestKeyline(options: TestKeylineOptions = {}): Promise<TestKeyline> {
  checkOptionNames("createTestKeyline", options, optionNames);
  const { valkey, postgres, live = false, logger = silentLogger } = options;
  const valkeyUrl = valkey ?? (await embeddedValkey()).url;
  const prefix = `test_${process.pid}_${randomTag(8)}`;
  const database = postgres === false ? undefined : await createDatabase(postgres, { valkeyUrl, name: `keyline_${prefix}` });
  const t = new TestKeyline({ valkeyUrl, prefix, database }, { isLive: live, logger });
  if (typeof postgres === "string") await t.keyline.migrate();
  return t;
}

async function createDatabase(
  serverUrl: string | undefined,
  { valkeyUrl, name }: { readonly valkeyUrl: string; readonly name: string },
): Promise<ScratchDatabase> {
  if (serverUrl !== undefined) return createScratchDatabase(serverUrl, name);
  const { url, template } = await embeddedPostgres(valkeyUrl);
  return createScratchDatabase(url, name, template);
}
