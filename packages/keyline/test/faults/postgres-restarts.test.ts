import { startPostgres, startValkey } from "@keyline/embedded";
import { Snooze, type AddOptions } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage } from "../support/effects-stage.ts";
import { seeded } from "../support/processes.ts";
import { eventually, openStage } from "../support/stage.ts";
import { startWireProxy, targetOf, through } from "../support/wire-proxy.ts";

type Postgres = Awaited<ReturnType<typeof startPostgres>>;
interface Work {
  readonly n: number;
  readonly how: (typeof ways)[number];
}

const ways = ["settles", "returns", "puts itself off", "fails twice"] as const;
const priorities = ["high", "normal", "low"] as const;

let postgres: Postgres;
let stage: EffectsStage;
let stopValkey: () => Promise<unknown>;
beforeAll(async () => {
  const [valkey, own] = await Promise.all([startValkey(), startPostgres()]);
  postgres = own;
  stopValkey = () => valkey.stop();
  stage = await openEffectsStage(() => openStage({ valkeyUrl: valkey.url, postgresUrl: own.url }));
});
afterAll(async () => {
  await stage.close();
  await Promise.all([postgres.stop(), stopValkey()]);
});

/** Some are deduplicated, in each of the forms, by a key of their own or by one of a few. */
function optionsOf(n: number, random: () => number): AddOptions {
  const priority = priorities[n % 3] ?? "normal";
  const key = random() < 0.5 ? `own ${n}` : `shared ${n % 5}`;
  const forms: AddOptions["deduplicate"][] = [undefined, { key }, { key, window: 200 }, { key, window: 100, keep: "latest" }];
  const deduplicate = forms[Math.floor(random() * forms.length)];
  return { priority, ...(deduplicate && { deduplicate }), ...(!deduplicate && random() < 0.3 && { delay: 50 }) };
}

test.each(["PostgreSQL is killed again and again", "answers of PostgreSQL get lost"] as const)(
  "%s: each job has its effects once, none stays, and no key is held by one that has ended",
  async (fault) => {
    const name = fault.startsWith("answers") ? "answers" : "restarts";
    const proxy = await startWireProxy({ target: targetOf(stage.databaseUrl) });
    const by = { postgres: through(stage.databaseUrl, proxy) };
    const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const random = seeded(seed);
    const rules = { transactional: true, maxAttempts: 100, lease: 5_000, backoff: { type: "fixed", delay: 20, jitter: 0 } } as const;
    const [adding, working, other] = [stage.keyline(by), stage.keyline(by), stage.keyline(by)];
    const [queue, worked] = [adding.queue<Work>(name, rules), working.queue<Work>(name, rules)];
    const runs = new Map<string, number>();
    const completed: string[] = [];
    const dead: string[] = [];
    const workers = [other.queue<Work>(name, rules), worked].map((one) =>
      one.work(
        async (job, { settle }) => {
          const run = (runs.get(job.id) ?? 0) + 1;
          runs.set(job.id, run);
          const { n, how } = job.data;
          if (how === "puts itself off" && run < 3) throw new Snooze(60);
          if (how === "fails twice" && run < 3) throw new Error("not yet");
          if (how !== "returns") await settle((tx) => stage.write(tx, name, n));
        },
        { concurrency: 8 },
      ),
    );
    for (const worker of workers) {
      worker.on("error", () => undefined);
      worker.on("completed", ({ id }) => completed.push(id));
      worker.on("dead", (job, error) => dead.push(`${job?.id}: ${error.message}`));
    }
    const told = new Map<string, Work>();
    const unknown: Work[] = [];
    let isOver = false;
    const producing = (async () => {
      for (let n = 0; !isOver; n++) {
        const work = { n, how: ways[Math.floor(random() * ways.length)] ?? "settles" };
        const options = optionsOf(n, random);
        try {
          const { id, added } = await queue.add(work, options);
          // The data of a debounce that is replaced is not run.
          if (options.deduplicate?.keep === "latest") told.delete(id);
          else if (added) told.set(id, work);
        } catch {
          unknown.push(work);
        }
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    })();
    if (name === "answers") proxy.swallowReply(() => random() < 0.03, { times: 1_000_000 });
    for (let kills = 0; kills < 6; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 500 + 1_000 * random()));
      if (name === "answers") continue;
      await postgres.kill();
      await postgres.restart();
    }
    proxy.passAll();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    isOver = true;
    await producing;
    await eventually("no row is left", async () => (await stage.rowsOf(name)).length === 0, 60_000);
    await eventually(
      "nothing is left on Valkey",
      async () => {
        const { waiting, running, scheduled } = await queue.counts();
        return waiting + running + scheduled === 0;
      },
      60_000,
    );
    expect(told.size, `seed ${seed}`).toBeGreaterThan(30);
    expect(dead, `seed ${seed}`).toEqual([]);
    const effects = await stage.effectsOf(name);
    expect(effects.length, `seed ${seed}`).toBe(new Set(effects).size);
    const written = new Set(effects);
    for (const { n, how } of told.values()) if (how !== "returns") expect(written, `job ${n}, seed ${seed}`).toContain(n);
    expect(completed.length, `seed ${seed}`).toBe(new Set(completed).size);
    for (const [id, { how }] of told) if (how === "returns") expect(runs.get(id), `job ${id}, seed ${seed}`).toBeGreaterThan(0);
    for (let n = 0; n < 5; n++) {
      const again = await queue.add({ n: -1 - n, how: "returns" }, { deduplicate: { key: `shared ${n}` } });
      expect(again.added, `key ${n}, seed ${seed}`).toBe(true);
    }
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.all([adding, working, other].map((keyline) => keyline.close()));
    await proxy.stop();
  },
  240_000,
);
