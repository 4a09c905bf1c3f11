import { startPostgres, startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
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

/** A disk of so many megabytes; undefined where this user may mount none. */
function mountDisk(megabytes: number): { readonly folder: string; fill(): void; free(): void; unmount(): void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "keyline-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    rmdirSync(folder);
    return undefined;
  }
  const filler = join(folder, "filler");
  return {
    folder,
    fill() {
      const block = Buffer.alloc(1_048_576);
      try {
        for (;;) writeFileSync(filler, block, { flag: "a" });
      } catch {
        // Full to the last block that a page of PostgreSQL would need.
      }
    },
    free: () => rmSync(filler),
    unmount() {
      execFileSync("umount", [folder]);
      rmdirSync(folder);
    },
  };
}

test("while PostgreSQL's disk is full adds fail and are not done, and everything goes on by itself afterwards", async ({ skip }) => {
  const disk = mountDisk(400);
  if (!disk) return skip("this user may mount no disk");
  const postgres = await startPostgres({ dir: join(disk.folder, "data"), persistent: false });
  const place = await openStage({ postgresUrl: postgres.url });
  try {
    const keyline = place.keyline();
    await keyline.migrate();
    await place.pool.query("CREATE TABLE effects (n integer)");
    const orders = keyline.queue<N & { readonly filling: string }>("orders", { transactional: true, lease: 1_000 });
    const worker = orders.work(async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1)", [job.data.n])));
    });
    worker.on("error", () => undefined);
    const filling = "x".repeat(100_000);
    const known = new Map<number, "added" | "failed" | "unknown">();
    let number = 0;
    const add = async (): Promise<void> => {
      const n = number++;
      known.set(n, "added");
      await keyline
        .transaction((tx) => orders.add({ n, filling }, { tx }))
        .catch((error: unknown) =>
          known.set(n, error instanceof Error && "code" in error && error.code === "OUTCOME_UNKNOWN" ? "unknown" : "failed"),
        );
    };
    await add();
    disk.fill();
    await eventually(
      "adds fail",
      async () => {
        await add();
        return [...known.values()].includes("failed");
      },
      60_000,
    );
    disk.free();
    // Without room for its log PostgreSQL ends all sessions, and may have to be started again.
    await eventually(
      "adds work again",
      async () => {
        await place.pool.query("SELECT 1").catch(() => postgres.restart());
        await add();
        return known.get(number - 1) === "added";
      },
      60_000,
    );
    const added = [...known].filter(([, end]) => end === "added").map(([n]) => n);
    const effects = async (): Promise<number[]> => (await place.pool.query<N>("SELECT n FROM effects ORDER BY n")).rows.map(({ n }) => n);
    await eventually(
      "every job that was added has its effect",
      async () => {
        const done = new Set(await effects());
        return added.every((n) => done.has(n));
      },
      60_000,
    );
    const all = await effects();
    expect(new Set(all).size, "effects, each once").toBe(all.length);
    expect(
      all.filter((n) => known.get(n) === "failed"),
      "effects of what had failed",
    ).toEqual([]);
    await worker.stop();
  } finally {
    await place.close();
    await postgres.stop();
  }
}, 180_000);
