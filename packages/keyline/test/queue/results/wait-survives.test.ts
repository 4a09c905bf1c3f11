import { startValkeySentinel } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Job, Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, gate, openQuietStage, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf } from "../../support/wire-proxy.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const rules = { keepResult: 60_000, lease: 1_000 };
const baseOf = (queue: { readonly name: string }): string => `${stage.prefix}:{${queue.name}}`;

/** Waits until somebody follows the ends of the queue: a blocked client. */
async function followed(queue: { readonly name: string }): Promise<void> {
  await eventually("it is waited for", async () => {
    const clients = String(await stage.valkey.client("LIST"));
    return (await stage.valkey.exists(`${baseOf(queue)}:ends`)) === 1 && /cmd=xread/.test(clients);
  });
}

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("a wait on a %s queue", (kind, transactional) => {
  const open = (name: string, of = keyline): EitherQueue<string> => openEither<string>(of, `${kind}-${name}`, { transactional, ...rules });

  test("goes on through broken connections, and hears what ended meanwhile", async () => {
    const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    const behind = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    const queue = open("broken");
    const { id } = await queue.add("x");
    const waiting = open("broken", behind).waitFor(id);
    await followed(queue);
    await proxy.refuse(true);
    proxy.cutAll();
    const worker = queue.work(() => "meanwhile");
    await eventually("it has ended", async () => (await queue.counts()).running + (await queue.counts()).waiting === 0);
    await proxy.refuse(false);
    expect(await waiting).toBe("meanwhile");
    await worker.stop();
    await behind.close();
    await proxy.stop();
  }, 30_000);

  test("that is behind by more than the stream keeps looks for what it has missed", async () => {
    const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    const behind = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    const queue = open("behind");
    const count = 3_000;
    const added = await queue.addMany(Array.from({ length: count }, (_, n) => ({ data: String(n) })));
    const slow = open("behind", behind);
    const waiting = Promise.all(added.map(({ id }) => slow.waitFor<string>(id)));
    await followed(queue);
    await proxy.refuse(true);
    proxy.cutAll();
    const worker = queue.work((job: Job<string>) => job.data, { concurrency: 100 });
    await eventually("all have ended", async () => (await queue.counts()).running + (await queue.counts()).waiting === 0);
    await proxy.refuse(false);
    expect(await waiting).toEqual(Array.from({ length: count }, (_, n) => String(n)));
    expect(await stage.valkey.xlen(`${baseOf(queue)}:ends`)).toBeLessThan(1_200);
    await worker.stop();
    await behind.close();
    await proxy.stop();
  }, 60_000);

  test("whose worker dies gets the result of the next attempt", async () => {
    const queue = open("dies");
    const { id } = await queue.add("x");
    await eventually("it is there", async () => (await queue.counts()).waiting === 1);
    await stage.valkey.lmove(`${baseOf(queue)}:waiting`, `${baseOf(queue)}:held:ghost`, "RIGHT", "RIGHT");
    await stage.valkey.zadd(`${baseOf(queue)}:workers`, 1, "ghost");
    const waiting = queue.waitFor(id);
    await followed(queue);
    const worker = queue.work((job: Job<string>) => job.attempt);
    expect(await waiting).toBe(2);
    await worker.stop();
  });

  test("for a lost answer to the settle gets the result once", async () => {
    const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    const behind = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    const queue = open("swallowed", behind);
    const hold = gate();
    const started = gate();
    const worker = queue.work(async () => {
      started.open();
      await hold.opened;
      return "told";
    });
    const { id } = await queue.add("x");
    await started.opened;
    const waiting = open("swallowed").waitFor(id);
    await followed(queue);
    proxy.swallowReply((bytes) => bytes.includes("completed"));
    hold.open();
    expect(await waiting).toBe("told");
    await eventually("it was swallowed", () => proxy.swallowed === 1);
    await eventually("it has ended", async () => (await open("swallowed").counts()).running === 0);
    await worker.stop();
    await behind.close();
    await proxy.stop();
  }, 30_000);
});

test("Valkey loses everything: a plain job is not known any more", async () => {
  const own = await openQuietStage();
  const queue = own.keyline().queue<string>("flushed", { keepResult: 60_000 });
  const { id } = await queue.add("x");
  const waiting = queue.waitFor(id, { timeout: 30_000 });
  const ends = `${own.prefix}:{flushed}:ends`;
  await eventually("it is waited for", async () => (await own.valkey.exists(ends)) === 1);
  await own.valkey.flushall();
  await expect(waiting).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
  await own.close();
}, 40_000);

describe("Valkey loses everything under a transactional queue", () => {
  const queueOf = (name: string) => keyline.queue<string>(name, { transactional: true, ...rules });

  test("a job that has not ended comes back, and its result comes", async () => {
    const queue = queueOf("flushed-open");
    const { id } = await queue.add("x");
    const waiting = queue.waitFor(id);
    await followed(queue);
    await stage.valkey.flushall();
    const worker = queue.work(() => "after all");
    expect(await waiting).toBe("after all");
    await worker.stop();
  }, 30_000);

  test("a result that was committed before its notice is found", async () => {
    const queue = queueOf("flushed-settled");
    const settled = gate();
    const release = gate();
    const worker = queue.work(async (_, { settle }) => {
      await settle(async () => "committed");
      settled.open();
      await release.opened;
    });
    const { id } = await queue.add("x");
    const waiting = queue.waitFor(id);
    await followed(queue);
    await settled.opened;
    await stage.valkey.flushall();
    expect(await waiting).toBe("committed");
    release.open();
    await worker.stop();
  }, 30_000);
});

test("a worker that dies between the COMMIT of its settle and the notice: the one that finds the job settled tells", async () => {
  const queue = keyline.queue<string>("untold", { transactional: true, ...rules });
  const { id } = await queue.add("x");
  await eventually("it is there", async () => (await queue.counts()).waiting === 1);
  await stage.valkey.lmove(`${baseOf(queue)}:waiting`, `${baseOf(queue)}:held:ghost`, "RIGHT", "RIGHT");
  const waiting = queue.waitFor(id, { timeout: 20_000 });
  await followed(queue);
  const keep = "SELECT missing FROM keyline.settle_kept($1, $2, NULL, ARRAY[$2], ARRAY[$3]::json[], ARRAY[60000]::bigint[])";
  const { rows } = await stage.pool.query<{ missing: string | null }>(keep, ["untold", id, '"committed"']);
  expect(rows).toEqual([{ missing: null }]);
  await stage.valkey.zadd(`${baseOf(queue)}:workers`, 1, "ghost");
  let runs = 0;
  const worker = queue.work(() => void runs++);
  expect(await waiting).toBe("committed");
  expect(runs).toBe(0);
  await worker.stop();
}, 30_000);

test("a worker that dies between its settle and the return of its handler: there is no result to wait for", async () => {
  const queue = keyline.queue<string>("not-returned", { transactional: true, ...rules });
  const { id } = await queue.add("x");
  await eventually("it is there", async () => (await queue.counts()).waiting === 1);
  await stage.valkey.lmove(`${baseOf(queue)}:waiting`, `${baseOf(queue)}:held:ghost`, "RIGHT", "RIGHT");
  const { rows: now } = await stage.pool.query<{ ms: string }>("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) AS ms");
  await stage.valkey.zadd(`${baseOf(queue)}:workers`, Number(now[0]?.ms) + 1_500, "ghost");
  await stage.pool.query("DELETE FROM keyline.job WHERE id = $1", [id]);
  await stage.pool.query("SELECT keyline.keep_results($1, ARRAY[$2], ARRAY[NULL]::json[], ARRAY[60000]::bigint[], 'ghost')", [
    queue.name,
    id,
  ]);
  const waiting = queue.waitFor(id, { timeout: 20_000 });
  await followed(queue);
  const worker = queue.work(() => "never called");
  expect(await waiting).toBeUndefined();
  await worker.stop();
}, 30_000);

test("results whose time is over are forgotten", async () => {
  const queue = keyline.queue<string>("forgotten", { transactional: true, keepResult: 100 });
  const plain = keyline.queue<string>("forgotten-plain", { keepResult: 100 });
  const workers = [queue.work(() => "soon gone"), plain.work(() => "soon gone")];
  const { id } = await queue.add("x");
  const { id: plainId } = await plain.add("x");
  await eventually("it is forgotten", () =>
    queue.waitFor(id).then(
      () => false,
      (error: { code: string }) => error.code === "JOB_UNKNOWN",
    ),
  );
  await eventually("it is forgotten", () =>
    plain.waitFor(plainId).then(
      () => false,
      (error: { code: string }) => error.code === "JOB_UNKNOWN",
    ),
  );
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("a failover: the replica takes over, and who waits gets the result", async () => {
  const sentinel = await startValkeySentinel();
  const shared = await openStage();
  await shared.keyline().migrate();
  const through = shared.keyline({
    valkey: { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name },
    prefix: "waits",
  });
  const release = gate();
  const queues = [through.queue<string>("plain", rules), through.queue<string>("rows", { transactional: true, ...rules })] as const;
  const workers = [
    queues[0].work(async (job) => {
      await release.opened;
      return job.data;
    }),
    queues[1].work(async (job) => {
      await release.opened;
      return job.data;
    }),
  ];
  const ids = await Promise.all(queues.map(async (queue) => (await queue.add(queue.name)).id));
  await eventually("both run", async () => (await queues[0].counts()).running + (await queues[1].counts()).running === 2);
  // What the replica does not have yet a plain queue would lose.
  await through.command("WAIT", 1, 5_000);
  const waiting = queues.map((queue, index) => queue.waitFor(ids[index] ?? "", { timeout: 60_000 }));
  await eventually("they are waited for", async () => Number(await through.command("EXISTS", "waits:{plain}:ends")) === 1);
  await sentinel.primary.kill();
  release.open();
  expect(await Promise.all(waiting)).toEqual(["plain", "rows"]);
  await Promise.all(workers.map((worker) => worker.stop()));
  await through.close();
  await shared.close();
  await sentinel.stop();
}, 120_000);

test("a failover that loses an end which nobody who waits has heard of: the result is looked for", async () => {
  const sentinel = await startValkeySentinel();
  const shared = await openStage();
  await shared.keyline().migrate();
  const valkey = { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name };
  const open = (of: Keyline) => of.queue<string>("rows", { transactional: true, ...rules });
  const working = shared.keyline({ valkey, prefix: "unheard" });
  const release = gate();
  const worker = open(working).work(async ({ data }) => {
    if (data === "last") await release.opened;
    return data;
  });
  const server = new Valkey(sentinel.primary.port, sentinel.primary.host);
  const clients = async (): Promise<string[]> => [...String(await server.client("LIST")).matchAll(/^id=(\d+)/gm)].map(([, id]) => id ?? "");
  expect(await open(working).waitFor((await open(working).add("first")).id)).toBe("first");
  const others = new Set(await clients());
  const waiting = open(shared.keyline({ valkey, prefix: "unheard" }));
  expect(await waiting.waitFor((await open(working).add("second")).id)).toBe("second");
  await working.command("WAIT", 1, 5_000);

  // From here on the replica hears nothing, and nobody who is not connected already comes in.
  await server.config("SET", "requirepass", "unknown");
  await server.call("CLIENT", "KILL", "TYPE", "replica");
  const { id } = await open(working).add("last");
  const result = waiting.waitFor(id, { timeout: 60_000 });
  await eventually("it runs", async () => (await open(working).counts()).running === 1);
  for (const client of await clients()) if (!others.has(client)) await server.call("CLIENT", "KILL", "ID", client).catch(() => undefined);
  const completed = new Promise((resolve) => void worker.on("completed", resolve));
  release.open();
  await completed;
  server.disconnect();
  await sentinel.primary.kill();
  expect(await result).toBe("last");
  await worker.stop();
  await shared.close();
  await sentinel.stop();
}, 120_000);
