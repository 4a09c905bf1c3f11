import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

let server: EmbeddedValkey;
let stage: Stage;
beforeAll(async () => {
  server = await startValkey({ config: { "enable-protected-configs": "yes" } });
  stage = await openStage({ valkeyUrl: server.url });
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (n integer)");
});
afterAll(async () => {
  await stage.close();
  await server.stop();
});

/** Valkey cannot save, as where its disk is full: from then on it refuses whatever writes, with MISCONF. Returns what mends it. */
async function breakSaving(): Promise<() => Promise<void>> {
  const { valkey } = stage;
  const gone = join(server.dir, "gone");
  await mkdir(gone);
  await valkey.config("SET", "save", "3600 1");
  await valkey.config("SET", "dir", gone);
  await rmdir(gone);
  await valkey.bgsave();
  const isRefusing = async (): Promise<boolean> =>
    valkey.set("probe", "1").then(
      () => false,
      (error: unknown) => String(error).includes("MISCONF"),
    );
  await eventually("Valkey refuses what writes", isRefusing);
  return async () => {
    await valkey.config("SET", "dir", server.dir);
    await eventually("Valkey can save again", async () => {
      await valkey.bgsave().catch(() => undefined);
      return !(await isRefusing());
    });
  };
}

test("while Valkey's disk is full plain adds are refused and transactional ones commit, and everything goes on by itself afterwards", async () => {
  const keyline = stage.keyline();
  const plain = keyline.queue<N>("plain");
  const orders = keyline.queue<N>("orders", { transactional: true, lease: 1_000 });
  const seen: number[] = [];
  const workers = [
    plain.work((job) => void seen.push(job.data.n)),
    orders.work(async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1)", [job.data.n])));
    }),
  ];
  for (const worker of workers) worker.on("error", () => undefined);
  await plain.add({ n: 0 });
  await orders.add({ n: 0 });
  const effects = async (): Promise<number[]> => (await stage.pool.query<N>("SELECT n FROM effects ORDER BY n")).rows.map(({ n }) => n);
  await eventually("both work", async () => seen.length === 1 && (await effects()).length === 1);

  const mend = await breakSaving();
  await expect(plain.add({ n: 1 })).rejects.toThrow(/MISCONF/);
  for (let n = 1; n <= 20; n++) await orders.add({ n });
  await keyline.transaction((tx) => orders.add({ n: 21 }, { tx }));
  await expect(keyline.channel("news", { history: {} }).publish(1)).rejects.toThrow(/MISCONF/);
  await expect(keyline.stream("readings").append(1)).rejects.toThrow(/MISCONF/);
  await mend();

  await eventually("every order has its effect", async () => (await effects()).length >= 22, 60_000);
  expect(await effects()).toEqual(Array.from({ length: 22 }, (_, n) => n));
  await plain.add({ n: 2 });
  await eventually("the plain queue works again", () => seen.includes(2));
  // What was refused was not done.
  expect(seen).toEqual([0, 2]);
  await Promise.all(workers.map((worker) => worker.stop()));
}, 120_000);
