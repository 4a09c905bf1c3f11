import { startValkeySentinel, type EmbeddedValkeySentinel } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Keyline } from "keyline";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
let servers: EmbeddedValkeySentinel;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
});
afterAll(() => stage.close());
beforeEach(async () => {
  servers = await startValkeySentinel();
  const sentinels = servers.sentinels.map(({ host, port }) => ({ host, port }));
  keyline = stage.keyline({ valkey: { sentinels, name: servers.name }, prefix: "lagging" });
});
afterEach(async () => {
  await keyline.close();
  await servers.stop();
});

const effectsOf = async (queue: string): Promise<number[]> =>
  (await stage.pool.query<N>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue])).rows.map(({ n }) => n);

/** What a server of the pair says, without waiting for one that does not answer. */
async function ask<Answer>(
  server: { readonly host: string; readonly port: number },
  question: (client: Valkey) => Promise<Answer>,
): Promise<Answer> {
  const client = new Valkey(server.port, server.host, { commandTimeout: 2_000 });
  client.on("error", () => undefined);
  return question(client).finally(() => client.disconnect());
}

const roleOf = async (server: { readonly host: string; readonly port: number }): Promise<string> =>
  String((await ask(server, (client) => client.role()))[0]);

/** Every job's row says that it was delivered. */
function whenNoted(queue: string): Promise<void> {
  return eventually("all deliveries are noted", async () => {
    const { rows } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1 AND delivered_to IS NULL", [queue]);
    return rows.length === 0;
  });
}

function workOn(name: string): { readonly queue: ReturnType<typeof queueOf>; stop(): Promise<void> } {
  const queue = queueOf(name);
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [name, job.data.n])));
    },
    { concurrency: 4 },
  );
  worker.on("error", () => undefined);
  return { queue, stop: () => worker.stop() };
}

const queueOf = (name: string) => keyline.queue<N>(name, { transactional: true, lease: 1_500 });

test("a replica that takes over without the last jobs, whose deliveries had been noted: they are delivered again, and settled once", async () => {
  const queue = queueOf("lost-tail");
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
  const lengthOn = (server: { readonly host: string; readonly port: number }): Promise<number> =>
    ask(server, (client) => client.llen("lagging:{lost-tail}:waiting"));
  await eventually("the replica has the first jobs", async () => (await lengthOn(servers.replica)) === 50);
  // From here on the replica gets nothing, as where its link is broken, and the primary acknowledges all the same.
  servers.replica.pause();
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n: n + 50 } })));
  await whenNoted("lost-tail");
  await servers.primary.kill();
  servers.replica.resume();
  await eventually("the replica has taken over", async () => (await roleOf(servers.replica)) === "master", 60_000);
  const { stop } = workOn("lost-tail");
  await eventually("every job has its effect", async () => (await effectsOf("lost-tail")).length >= 100, 60_000);
  expect(await effectsOf("lost-tail")).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(stage.log.map(({ message }) => message)).toContain("Valkey has a new memory: its unsettled jobs were delivered again");
  await stop();
}, 180_000);

test("a primary without a file that is back, empty, before anybody missed it, and wipes its replica: every job is delivered again, and settled once", async () => {
  const queue = queueOf("wiped");
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
  const lengthOn = (server: { readonly host: string; readonly port: number }): Promise<number> =>
    ask(server, (client) => client.llen("lagging:{wiped}:waiting"));
  await eventually("the replica has the jobs", async () => (await lengthOn(servers.replica)) === 50);
  await whenNoted("wiped");
  const historyOfReplica = async (): Promise<string | undefined> => {
    const replication = await ask(servers.replica, (client) => client.info("replication"));
    return replication.includes("master_link_status:up") ? /^master_replid:(\w+)/m.exec(replication)?.[1] : undefined;
  };
  const [before, lines] = [await historyOfReplica(), stage.log.length];
  // Whatever a busy machine makes of the seconds after which they would let the replica take over.
  for (const sentinel of servers.sentinels) sentinel.pause();
  await servers.primary.restart();
  await eventually(
    "the replica has what the empty primary has",
    async () => ![before, undefined].includes(await historyOfReplica()),
    60_000,
  );
  for (const sentinel of servers.sentinels) sentinel.resume();
  const { stop } = workOn("wiped");
  await eventually("every job has its effect", async () => (await effectsOf("wiped")).length >= 50, 60_000);
  expect(await effectsOf("wiped")).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(stage.log.slice(lines).map(({ message }) => message)).toContain(
    "Valkey has a new memory: its unsettled jobs were delivered again",
  );
  await stop();
}, 180_000);

test("a primary that freezes, is replaced and comes back: whoever was connected to it finds the new one, and no effect is there twice", async () => {
  const { queue, stop } = workOn("frozen");
  const total = 400;
  const adding = (async () => {
    for (let n = 0; n < total; n++) await keyline.transaction((tx) => queue.add({ n }, { tx }));
  })();
  await eventually("some are settled", async () => (await effectsOf("frozen")).length > 50, 60_000);
  servers.primary.pause();
  await eventually("the replica has taken over", async () => (await roleOf(servers.replica)) === "master", 60_000);
  servers.primary.resume();
  await eventually("the old primary is a replica", async () => (await roleOf(servers.primary)) === "slave", 60_000);
  await adding;
  await eventually("every job has its effect", async () => (await effectsOf("frozen")).length >= total, 90_000);
  expect(await effectsOf("frozen")).toEqual(Array.from({ length: total }, (_, n) => n));
  await eventually("nothing is left", async () => {
    const { waiting, running, scheduled } = await queue.counts();
    return waiting + running + scheduled === 0;
  });
  await stop();
}, 240_000);

test("sentinels that do not answer while everybody has to connect anew: nobody gives up, and work goes on when they are back", async () => {
  const { queue, stop } = workOn("no-sentinels");
  await queue.add({ n: 0 });
  await eventually("it works", async () => (await effectsOf("no-sentinels")).length === 1);
  for (const sentinel of servers.sentinels) sentinel.pause();
  await ask(servers.primary, (client) => client.call("CLIENT", "KILL", "TYPE", "normal"));
  // Longer than a lease, than a block timeout, and than several tries to connect.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  for (let n = 1; n <= 5; n++) await queue.add({ n });
  for (const sentinel of servers.sentinels) sentinel.resume();
  await eventually("every job has its effect", async () => (await effectsOf("no-sentinels")).length >= 6, 60_000);
  expect(await effectsOf("no-sentinels")).toEqual([0, 1, 2, 3, 4, 5]);
  await stop();
}, 180_000);
