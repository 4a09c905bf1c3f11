import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startWireProxy, type WireProxy } from "../test/support/wire-proxy.ts";
import { openShapes } from "./site.ts";

export const prefix = "soak";

/** The wires that one half of the processes has to the servers. */
export interface Line {
  readonly valkey: WireProxy;
  readonly postgres: WireProxy;
}

const tables = `
  CREATE TABLE orders (msg text);
  CREATE TABLE effects (msg text, attempt integer, proc text, at timestamptz DEFAULT now());
  CREATE TABLE tour_effects (msg text, part text, value text);
  CREATE TABLE leg_effects (msg text, leg integer, value text);
  CREATE TABLE trip_effects (msg text, legs integer, told text[]);
  CREATE TABLE accounts (id integer PRIMARY KEY, total integer);
  INSERT INTO accounts VALUES (1, 0), (2, 0);
  CREATE TABLE transfers (msg text, account integer);
  CREATE TABLE event_effects (place bigserial, entry text, key text, proc text);
  CREATE TABLE mirror (place bigserial, entry text)`;

/** Servers of the soak's own, two pairs of wires to them, and connections of its own that no fault on a wire reaches. */
export class SoakStage {
  readonly valkeyServer: EmbeddedValkey;
  readonly postgresServer: EmbeddedPostgres;
  readonly lines: readonly Line[];
  readonly valkey: Valkey;
  readonly pool: pg.Pool;
  readonly keyline: Keyline;
  readonly shapes: ReturnType<typeof openShapes>;
  readonly #scratch: string;

  private constructor(parts: Pick<SoakStage, "valkeyServer" | "postgresServer" | "lines"> & { readonly scratch: string }) {
    this.valkeyServer = parts.valkeyServer;
    this.postgresServer = parts.postgresServer;
    this.lines = parts.lines;
    this.#scratch = parts.scratch;
    this.valkey = new Valkey(this.valkeyServer.port, this.valkeyServer.host, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
    this.valkey.on("error", () => undefined);
    this.pool = new pg.Pool({ connectionString: this.postgresServer.url, max: 4 });
    this.pool.on("error", () => undefined);
    this.keyline = new Keyline({ valkey: this.valkeyServer.url, postgres: this.postgresServer.url, prefix });
    this.shapes = openShapes(this.keyline);
  }

  static async open(seed: number): Promise<SoakStage> {
    const scratch = mkdtempSync(join(tmpdir(), "keyline-soak-aof-"));
    const [valkeyServer, postgresServer] = await Promise.all([
      startValkey({ persistence: true }),
      // The second one as the guide advises: what a client that vanished has locked would stay so for as long as TCP is patient.
      startPostgres({ settings: { deadlock_timeout: "200ms", idle_in_transaction_session_timeout: "10s" } }),
    ]);
    const lines = await Promise.all(
      [0, 1].map(async (line) => ({
        valkey: await startWireProxy({ target: valkeyServer, seed: seed + line }),
        postgres: await startWireProxy({ target: postgresServer, seed: seed + line }),
      })),
    );
    const stage = new SoakStage({ valkeyServer, postgresServer, lines, scratch });
    await stage.keyline.migrate();
    await stage.pool.query(tables);
    return stage;
  }

  lineOf(place: number): Line {
    return this.lines[place % this.lines.length] as Line;
  }

  addressesOf(place: number): { readonly valkey: string; readonly postgres: string } {
    const { valkey, postgres } = this.lineOf(place);
    const url = new URL(this.postgresServer.url);
    url.port = String(postgres.port);
    return { valkey: `valkey://127.0.0.1:${valkey.port}`, postgres: url.href };
  }

  /** Keeps a copy of what Valkey has written to its disk so far. */
  copyMemory(): void {
    rmSync(join(this.#scratch, "appendonlydir"), { recursive: true, force: true });
    cpSync(join(this.valkeyServer.dir, "appendonlydir"), join(this.#scratch, "appendonlydir"), { recursive: true });
  }

  get hasCopy(): boolean {
    return existsSync(join(this.#scratch, "appendonlydir"));
  }

  /** With the server killed: it begins with the older copy, or with nothing. */
  replaceMemory(by: "nothing" | "copy"): void {
    const folder = join(this.valkeyServer.dir, "appendonlydir");
    rmSync(folder, { recursive: true, force: true });
    if (by === "copy") cpSync(join(this.#scratch, "appendonlydir"), folder, { recursive: true });
  }

  healWires(): void {
    for (const { valkey, postgres } of this.lines) for (const proxy of [valkey, postgres]) proxy.passAll();
  }

  async close(): Promise<void> {
    await this.keyline.close();
    this.valkey.disconnect();
    await this.pool.end();
    await Promise.all(this.lines.flatMap(({ valkey, postgres }) => [valkey.stop(), postgres.stop()]));
    await Promise.all([this.valkeyServer.stop(), this.postgresServer.stop()]);
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
