import { startNats, startPostgres, startValkey, EmbeddedError, type EmbeddedNats } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import pg from "pg";
import { PeerMissing } from "../suite/peer-missing.ts";
import { postgresCpuUs, processCpuUs } from "./process-cpu.ts";
import { readValkey, type ValkeyReading } from "./valkey-meter.ts";

// A server that does not answer must not keep the bench for ever.
const patienceMs = 60_000;
// More than the default of 10,000, of which a case needs a few more; no more than many systems let a process have open.
const mostClients = "12000";

export interface MeterReading extends ValkeyReading {
  readonly postgresCpuUs: number | undefined;
  /** Undefined while no NATS runs. */
  readonly natsCpuUs: number | undefined;
}

/** The Valkey (no persistence) and the PostgreSQL (default settings) that all contenders of a run share, one at a time. */
export class Servers {
  readonly #valkey: Awaited<ReturnType<typeof startValkey>>;
  readonly #postgres: Awaited<ReturnType<typeof startPostgres>>;
  readonly #observer: Valkey;
  #databases = 0;
  #nats: EmbeddedNats | undefined;
  #natsMissing: PeerMissing | undefined;

  private constructor(valkey: Awaited<ReturnType<typeof startValkey>>, postgres: Awaited<ReturnType<typeof startPostgres>>) {
    this.#valkey = valkey;
    this.#postgres = postgres;
    this.#observer = new Valkey(valkey.url, { commandTimeout: patienceMs });
  }

  static async start(): Promise<Servers> {
    const [valkey, postgres] = await Promise.all([
      startValkey({ persistence: false, config: { maxclients: mostClients } }),
      startPostgres(),
    ]);
    return new Servers(valkey, postgres);
  }

  /** The address of an empty Valkey. */
  async freshValkey(): Promise<string> {
    await this.#observer.flushall("SYNC");
    return this.#valkey.url;
  }

  /** Calls `use` with the address of an empty database, and drops it afterwards. */
  async withDatabase<Result>(use: (url: string) => Promise<Result>): Promise<Result> {
    const name = `bench_${++this.#databases}`;
    const url = await this.#postgres.createDatabase(name);
    try {
      return await use(url);
    } finally {
      await this.#onPostgres((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
    }
  }

  /** Calls `use` with the address of a NATS server without streams, and stops it afterwards. Throws PeerMissing where there is none. */
  async withNats<Result>(use: (url: string) => Promise<Result>): Promise<Result> {
    if (this.#natsMissing) throw this.#natsMissing;
    try {
      this.#nats = await startNats();
    } catch (error) {
      if (!(error instanceof EmbeddedError) || error.code === "START_FAILED") throw error;
      this.#natsMissing = new PeerMissing(error.message);
      throw this.#natsMissing;
    }
    try {
      return await use(this.#nats.url);
    } finally {
      await this.#nats.stop();
      this.#nats = undefined;
    }
  }

  /**
   * Calls `use` while Valkey keeps for its subscribers whatever they have not read, instead of cutting off one that is 32 MB behind: on a busy machine
   * that happens to whoever only checks what is published.
   */
  async withPatientSubscribers<Result>(use: () => Promise<Result>): Promise<Result> {
    const limit = "client-output-buffer-limit";
    const [, before] = (await this.#observer.config("GET", limit)) as [string, string];
    await this.#observer.config("SET", limit, "pubsub 0 0 0");
    try {
      return await use();
    } finally {
      await this.#observer.config("SET", limit, before);
    }
  }

  async read(): Promise<MeterReading> {
    const valkey = await readValkey(this.#observer);
    return {
      ...valkey,
      postgresCpuUs: await postgresCpuUs(this.#postgres.pid),
      natsCpuUs: this.#nats && (await processCpuUs(this.#nats.pid)),
    };
  }

  async usedMemory(): Promise<number> {
    const info = await this.#observer.info("memory");
    return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  }

  /** Connections of all clients but this one. */
  async connections(): Promise<number> {
    const info = await this.#observer.info("clients");
    return Number(/^connected_clients:(\d+)/m.exec(info)?.[1]) - 1;
  }

  /** Subscriptions of all clients to channels and patterns. */
  async subscriptions(): Promise<number> {
    const channels = (await this.#observer.pubsub("CHANNELS")) as string[];
    const counts = await Promise.all(channels.map((channel) => this.#observer.pubsub("NUMSUB", channel)));
    const patterns = Number(await this.#observer.pubsub("NUMPAT"));
    return counts.reduce((sum, reply) => sum + Number(reply[1]), patterns);
  }

  async valkeyVersion(): Promise<string> {
    const info = await this.#observer.info("server");
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
    return valkey ?? /^redis_version:(\S+)/m.exec(info)?.[1] ?? "unknown";
  }

  async postgresSettings(): Promise<{ readonly version: string; readonly durability: string }> {
    return this.#onPostgres(async (client) => {
      const show = async (setting: string): Promise<string> => {
        const { rows } = await client.query<Record<string, string>>(`SHOW ${setting}`);
        return rows[0]?.[setting] ?? "unknown";
      };
      const durability = `fsync ${await show("fsync")}, synchronous_commit ${await show("synchronous_commit")}`;
      return { version: (await show("server_version")).split(" ")[0] ?? "unknown", durability };
    });
  }

  async stop(): Promise<void> {
    this.#observer.disconnect();
    await Promise.all([this.#valkey.stop(), this.#postgres.stop()]);
  }

  async #onPostgres<Result>(use: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = new pg.Client({ connectionString: this.#postgres.url, connectionTimeoutMillis: patienceMs, query_timeout: patienceMs });
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }
}
