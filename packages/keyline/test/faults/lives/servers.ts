import { startPostgres, startValkey, startValkeySentinel, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { KeylineOptions } from "keyline";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { insist } from "../places/insist.ts";

/** Servers of a test's own, which it may break. */
export interface LifeServers {
  readonly stage: Stage;
  readonly postgres: EmbeddedPostgres;
  readonly valkey: KeylineOptions["valkey"];
  flush(): Promise<void>;
  failOver(): Promise<void>;
  close(): Promise<void>;
}

/** With sentinels, so that Valkey can fail over. */
export async function openSentinelServers(): Promise<LifeServers> {
  const [postgres, sentinel] = await Promise.all([startPostgres(), startValkeySentinel()]);
  const stage = await openStage({ postgresUrl: postgres.url, valkeyUrl: sentinel.primary.url });
  await stage.keyline().migrate();
  const servers: readonly EmbeddedValkey[] = [sentinel.primary, sentinel.replica];
  const [watcher = sentinel.primary] = sentinel.sentinels;
  const primary = async (): Promise<EmbeddedValkey> => {
    const [, port] = (await ask(watcher, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel.name)) as [string, string];
    return servers.find((server) => String(server.port) === port) ?? sentinel.primary;
  };
  return {
    stage,
    postgres,
    valkey: { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name },
    flush: async () => void (await insist(async () => ask(await primary(), "FLUSHALL"))),
    async failOver() {
      const before = await primary();
      const after = servers.find((server) => server !== before) ?? before;
      await eventually("the replica follows", () => says(after, /master_link_status:up/, "INFO", "replication"), 60_000);
      await before.kill();
      await eventually("the replica has taken over", () => says(after, /^master/, "ROLE"), 60_000);
      await eventually("the sentinels say so", async () => (await primary()) === after, 60_000);
      await before.restart();
    },
    async close() {
      await stage.close();
      await Promise.all([sentinel.stop(), postgres.stop()]);
    },
  };
}

/** One server of each kind: what Valkey forgets a plain queue has lost. */
export async function openServers(): Promise<LifeServers> {
  const [postgres, valkey] = await Promise.all([startPostgres(), startValkey()]);
  const stage = await openStage({ postgresUrl: postgres.url, valkeyUrl: valkey.url });
  return {
    stage,
    postgres,
    valkey: valkey.url,
    flush: async () => void (await stage.valkey.flushall()),
    failOver: () => Promise.reject(new Error("there is no other server")),
    async close() {
      await stage.close();
      await Promise.all([valkey.stop(), postgres.stop()]);
    },
  };
}

/** False where it does not answer, as one that is just starting. */
function says(server: EmbeddedValkey, what: RegExp, command: string, ...args: readonly string[]): Promise<boolean> {
  return ask(server, command, ...args).then(
    (answer) => what.test(String(answer)),
    () => false,
  );
}

async function ask({ host, port }: EmbeddedValkey, command: string, ...args: readonly string[]): Promise<unknown> {
  const client = new Valkey(port, host, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on("error", () => undefined);
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}
