import { startValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through } from "../../support/wire-proxy.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

type N = { readonly n: number };

describe("stopping again", () => {
  test("with a timeout takes effect on a stop that waits without one", async () => {
    const queue = stage.keyline().queue<N>("stop-later");
    const started = gate();
    let reason: unknown;
    const worker = queue.work((job) => {
      job.signal.addEventListener("abort", () => (reason = job.signal.reason));
      started.open();
      return new Promise(() => undefined);
    });
    await queue.add({ n: 1 });
    await started.opened;
    const first = worker.stop();
    await worker.stop({ timeout: 20 });
    await first;
    expect(reason).toMatchObject({ code: "STOPPED" });
    expect(await queue.counts()).toMatchObject({ waiting: 1, running: 0 });
  });

  test("with a shorter timeout takes effect, with a longer one does not", async () => {
    const queue = stage.keyline().queue<N>("stop-shorter");
    const started = gate();
    const worker = queue.work(() => {
      started.open();
      return new Promise(() => undefined);
    });
    await queue.add({ n: 1 });
    await started.opened;
    const first = worker.stop({ timeout: 60_000 });
    const second = worker.stop({ timeout: 0 });
    const third = worker.stop({ timeout: 60_000 });
    await Promise.all([first, second, third]);
    expect(await queue.counts()).toMatchObject({ waiting: 1, running: 0 });
  });
});

test("stopping while PostgreSQL does not answer waits for no job that was not begun, and gives it back", async () => {
  const toPostgres = await startWireProxy({ target: targetOf(stage.databaseUrl) });
  const keyline = stage.keyline({ postgres: through(stage.databaseUrl, toPostgres) });
  await keyline.migrate();
  const queue = keyline.queue<N>("stop-away", { transactional: true });
  const { id } = await queue.add({ n: 1 });
  const key = `${stage.prefix}:{stop-away}:waiting`;
  await eventually("it is there", async () => (await stage.valkey.llen(key)) === 1);
  // A second delivery, so that the worker asks for its row first.
  const element = `{"id":"${id}","again":true,"data":{"n":1}}`;
  await stage.valkey.lset(key, 0, element);
  let runs = 0;
  toPostgres.swallowReply((bytes) => bytes.includes("keyline-find-turns"), { andThen: "stall" });
  const worker = queue.work(() => void runs++);
  await eventually("the worker holds it and asks", () => toPostgres.swallowed === 1);
  await worker.stop();
  expect(runs).toBe(0);
  expect(await stage.valkey.lrange(key, 0, -1)).toEqual([element]);
  toPostgres.cutAll();
  await keyline.close();
  await toPostgres.stop();
});

test("a worker that stops leaves no lease behind, and does not take its end for a loss", async () => {
  const queue = stage.keyline().queue<N>("stop-lease", { lease: 300 });
  const worker = queue.work(() => undefined);
  const lost: Error[] = [];
  worker.on("error", (error) => lost.push(error));
  await eventually("it has a lease", async () => (await stage.valkey.zcard(`${stage.prefix}:{stop-lease}:workers`)) === 1);
  await worker.stop();
  expect(await stage.valkey.zcard(`${stage.prefix}:{stop-lease}:workers`)).toBe(0);
  expect(lost).toEqual([]);
});

test("what a late move left under a lost lease is back on the queue with the next lease", async () => {
  const queue = stage.keyline().queue<N>("late-move", { lease: 300 });
  const [idle, ran] = [gate(), gate()];
  const attempts: number[] = [];
  const worker = queue.work((job) => {
    attempts.push(job.attempt);
    ran.open();
  });
  worker.on("idle", () => idle.open());
  await idle.opened;
  const base = `${stage.prefix}:{late-move}`;
  const [name = ""] = await stage.valkey.zrange(`${base}:workers`, 0, -1);
  await stage.valkey.multi().zrem(`${base}:workers`, name).rpush(`${base}:held:${name}`, '{"id":"late","data":{"n":1}}').exec();
  await ran.opened;
  await worker.stop();
  expect(attempts).toEqual([2]);
  expect(await stage.valkey.llen(`${base}:held:${name}`)).toBe(0);
});

test("workers go on where Valkey's memory has run out: they free it", async () => {
  const valkey = await startValkey();
  const direct = new Valkey(valkey.port, valkey.host);
  const keyline = new Keyline({ valkey: valkey.url });
  const queue = keyline.queue<N>("full", { lease: 400, backoff: { type: "fixed", delay: 20, jitter: 0 } });
  await queue.addMany(Array.from({ length: 50 }, (_, n) => ({ data: { n } })));
  await direct.config("SET", "maxmemory", "1");
  await expect(queue.add({ n: -1 })).rejects.toThrow(/OOM/);
  const done = new Set<number>();
  const leases = new Set<string>();
  const worker = queue.work(async (job) => {
    // Through more than one lease, and with retries.
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const name of await direct.zrange("kl:{full}:workers", 0, -1)) leases.add(name);
    if (job.data.n % 10 === 0 && job.attempt === 1) throw new Error("once more");
    done.add(job.data.n);
  });
  await eventually("all are done", async () => done.size === 50 && (await queue.counts()).running === 0);
  await worker.stop();
  expect(leases.size).toBe(1);
  await keyline.close();
  direct.disconnect();
  await valkey.stop();
});
