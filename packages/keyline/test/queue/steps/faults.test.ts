import { startPostgres, startValkey } from "@keyline/embedded";
import { Keyline, type Queue } from "keyline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { seeded, startProcess, type TestProcess } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through } from "../../support/wire-proxy.ts";

interface Effect {
  readonly n: number;
  readonly step: number;
  readonly value: number;
}

let stage: Stage;
const processes: TestProcess[] = [];
const createTable = "CREATE TABLE step_effects (queue text, n integer, step integer, value float8, place serial)";

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query(createTable);
  await stage.pool.query("CREATE TABLE account (name text PRIMARY KEY, balance integer); INSERT INTO account VALUES ('a', 0), ('b', 0)");
});
afterEach(async () => {
  for (const { child } of processes) child.kill("SIGCONT");
  for (const { child } of processes) child.kill("SIGKILL");
  await Promise.all(processes.splice(0).map((one) => one.exited));
});
afterAll(() => stage.close());

async function effectsOf(of: Pick<Stage, "pool">, queue: string): Promise<Effect[]> {
  const text = "SELECT n, step, value FROM step_effects WHERE queue = $1 ORDER BY n, place";
  return (await of.pool.query<Effect>(text, [queue])).rows;
}

async function expectNothingLeft(of: Pick<Stage, "pool">, queue: string): Promise<void> {
  for (const [table, id] of [
    ["job", "id"],
    ["step", "job_id"],
    ["job_signal", "job_id"],
  ] as const) {
    const { rows } = await of.pool.query(`SELECT ${id} FROM keyline.${table} WHERE queue = $1`, [queue]);
    expect(rows, `keyline.${table}`).toEqual([]);
  }
}

/** Works on jobs of three steps with effects until `count` of them are settled; returns how often each function was called, by its step. */
function workInSteps(queue: Queue<number, number, true>): { readonly calls: number[]; readonly values: number[][]; stop(): Promise<void> } {
  const calls = [0, 0, 0];
  const values: number[][] = [[], [], []];
  const worker = queue.work(
    async (job, { step, settle }) => {
      for (const number of [0, 1, 2]) {
        const value = await step(`s${number}`, async (tx) => {
          calls[number] = (calls[number] ?? 0) + 1;
          const drawn = Math.floor(Math.random() * 2 ** 40);
          await tx.query("INSERT INTO step_effects (queue, n, step, value) VALUES ($1, $2, $3, $4)", [queue.name, job.data, number, drawn]);
          return drawn;
        });
        values[number]?.push(value);
      }
      await settle(async (tx) => {
        await tx.query("INSERT INTO step_effects (queue, n, step, value) VALUES ($1, $2, -1, 0)", [queue.name, job.data]);
      });
    },
    { concurrency: 5 },
  );
  worker.on("error", () => undefined);
  return { calls, values, stop: () => worker.stop() };
}

describe("on a wire that breaks", () => {
  test.each([
    ["swallowed, then cut", "cut"],
    ["swallowed, then silent", "stall"],
    ["cut before it arrives", undefined],
  ] as const)(
    "a COMMIT that is %s: each step has its effects once, and its value is that of the effects",
    async (what, andThen) => {
      const proxy = await startWireProxy({ target: targetOf(stage.databaseUrl) });
      const keyline = stage.keyline({ postgres: { connectionString: through(stage.databaseUrl, proxy), max: 20, query_timeout: 2_000 } });
      const queue = keyline.queue<number>(`commit-${what.replaceAll(/\W+/g, "-")}`, { transactional: true });
      await queue.addMany(Array.from({ length: 10 }, (_, n) => ({ data: n })));
      await eventually("all deliveries are noted", async () => {
        const { rows } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1 AND delivered_to IS NULL", [queue.name]);
        return rows.length === 0;
      });
      // One that is silent is given up after half a minute.
      const times = andThen === "stall" ? 1 : 6;
      if (andThen) proxy.swallowReply(containing("COMMIT"), { andThen, times });
      else proxy.cutBeforeForward(containing("COMMIT"), { times });
      const { values, stop } = workInSteps(queue);
      await eventually(
        "all are settled",
        async () => (await effectsOf(stage, queue.name)).filter(({ step }) => step === -1).length >= 10,
        90_000,
      );
      await eventually(
        "no row is left",
        async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name])).rowCount === 0,
      );
      await stop();
      expect(andThen ? proxy.swallowed : proxy.cuts).toBeGreaterThanOrEqual(times);
      const effects = await effectsOf(stage, queue.name);
      expect(effects.map(({ n, step }) => [n, step])).toEqual(
        Array.from({ length: 10 }, (_, n) => [0, 1, 2, -1].map((step) => [n, step])).flat(),
      );
      for (const number of [0, 1, 2]) {
        const written = new Set(effects.filter(({ step }) => step === number).map(({ value }) => value));
        expect(new Set(values[number])).toEqual(written);
      }
      await expectNothingLeft(stage, queue.name);
      await keyline.close();
      await proxy.stop();
    },
    120_000,
  );
});

test("steps that lock each other's rows are repeated, and their effects are there once", async () => {
  await stage.pool.query(`ALTER DATABASE ${stage.prefix} SET deadlock_timeout = '10ms'`);
  const queue = stage.keyline().queue<number>("conflicts", { transactional: true });
  const worker = queue.work(
    async (job, { step }) => {
      const order = job.data % 2 === 0 ? ["a", "b"] : ["b", "a"];
      for (const name of ["first", "second"]) {
        await step(name, async (tx) => {
          for (const account of order) await tx.query("UPDATE account SET balance = balance + 1 WHERE name = $1", [account]);
        });
      }
    },
    { concurrency: 10 },
  );
  const completed = gate();
  let count = 0;
  worker.on("completed", () => ++count === 60 && completed.open());
  await queue.addMany(Array.from({ length: 60 }, (_, n) => ({ data: n })));
  await completed.opened;
  await worker.stop();
  expect((await stage.pool.query("SELECT name, balance FROM account ORDER BY name")).rows).toEqual([
    { name: "a", balance: 120 },
    { name: "b", balance: 120 },
  ]);
}, 60_000);

test("a worker that dies between two steps, or within one: the next one goes on behind what was committed", async () => {
  const queue = stage.keyline().queue<{ n: number }>("killed", { transactional: true, lease: 1_000, maxAttempts: 5 });
  const { id } = await queue.add({ n: 1 });
  const victim = startProcess("step-worker.ts", {
    valkey: stage.valkeyUrl,
    postgres: stage.databaseUrl,
    prefix: stage.prefix,
    queue: queue.name,
    concurrency: 1,
    lease: 1_000,
    steps: 50,
    failing: 0,
    work: 60,
  });
  processes.push(victim);
  await eventually("it has done some steps", () => victim.lines.filter((line) => "value" in line).length >= 3);
  victim.signal("SIGKILL");
  await victim.exited;
  const { rows } = await stage.pool.query("SELECT name FROM keyline.step WHERE queue = $1 AND job_id = $2", [queue.name, id]);
  const done = rows.length;
  expect(done).toBeGreaterThanOrEqual(3);
  const called: number[] = [];
  const values: number[] = [];
  const worker = queue.work(async (_, { step }) => {
    for (let number = 0; number < done + 2; number++) {
      values.push(await step(`s${number}`, async () => called.push(number)));
    }
  });
  const completed = gate();
  worker.on("completed", () => completed.open());
  await completed.opened;
  await worker.stop();
  expect(called).toEqual([done, done + 1]);
  const effects = await effectsOf(stage, queue.name);
  expect(values.slice(0, done)).toEqual(effects.map(({ value }) => value));
  await expectNothingLeft(stage, queue.name);
}, 60_000);

test("a worker that stands still within a handler for longer than its lease does no further step", async () => {
  const queue = stage.keyline().queue<{ n: number }>("stalled", { transactional: true, lease: 1_000 });
  await queue.add({ n: 1 });
  const settings = { valkey: stage.valkeyUrl, postgres: stage.databaseUrl, prefix: stage.prefix, queue: queue.name };
  const stalled = startProcess("step-worker.ts", { ...settings, concurrency: 1, lease: 1_000, steps: 40, failing: 0, work: 20 });
  processes.push(stalled);
  await eventually("it has done a step", () => stalled.lines.some((line) => "value" in line));
  stalled.signal("SIGSTOP");
  const [gone = ""] = await stage.valkey.zrange(`${stage.prefix}:{${queue.name}}:workers`, 0, -1);
  const other = startProcess("step-worker.ts", { ...settings, concurrency: 1, lease: 1_000, steps: 40, failing: 0, work: 0 });
  processes.push(other);
  // It may have been stopped within a step, whose lock only its end frees.
  const leases = `${stage.prefix}:{${queue.name}}:workers`;
  await eventually("only the other one has a lease", async () => {
    return (await stage.valkey.zcard(leases)) === 1 && (await stage.valkey.zscore(leases, gone)) === null;
  });
  stalled.signal("SIGCONT");
  await eventually(
    "it has ended",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name])).rowCount === 0,
  );
  await checkHistory(stage, queue.name, { jobs: 1, steps: 40, lines: [...stalled.lines, ...other.lines] });
  expect(stalled.lines.some((line) => "ended" in line)).toBe(false);
}, 60_000);

/** Every step of every job has one effect, in their order, and whatever a run was given for it is what the effect says. */
async function checkHistory(
  of: Pick<Stage, "pool">,
  queue: string,
  { jobs, steps, lines }: { readonly jobs: number; readonly steps: number; readonly lines: readonly Readonly<Record<string, unknown>>[] },
): Promise<void> {
  const effects = await effectsOf(of, queue);
  const byJob = Map.groupBy(effects, ({ n }) => n);
  expect(byJob.size).toBe(jobs);
  for (const [n, own] of byJob) {
    expect(
      own.map(({ step }) => step),
      `the effects of job ${n}`,
    ).toEqual([...Array.from({ length: steps }, (_, step) => step), -1]);
    const sum = own.slice(0, -1).reduce((total, { value }) => total + value, 0);
    expect(own.at(-1)?.value, `the sum of job ${n}`).toBe(sum);
  }
  for (const line of lines) if ("signal" in line) expect(line["signal"], "the data of a signal").toBeTypeOf("string");
  const committed = new Map(effects.map(({ n, step, value }) => [`${n}/${step}`, value]));
  for (const line of lines) {
    if ("value" in line)
      expect(line["value"], `what a run was given for step ${String(line["step"])}`).toBe(
        committed.get(`${String(line["n"])}/${String(line["step"])}`),
      );
  }
  await expectNothingLeft(of, queue);
}

test("under kills, stalls, cuts, restarts and lost memories each step of each job has its effects once, no signal is lost, and every run is given the same values", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));
  const random = seeded(seed);
  const pick = (below: number): number => Math.floor(random() * below);
  const [postgres, valkey] = await Promise.all([startPostgres(), startValkey()]);
  const own = await openStage({ postgresUrl: postgres.url, valkeyUrl: valkey.url });
  const proxy = await startWireProxy({ target: targetOf(own.databaseUrl), seed });
  const jobs = 150;
  const steps = 4;
  const lines: Readonly<Record<string, unknown>>[] = [];
  const workers: TestProcess[] = [];
  const settings = {
    valkey: own.valkeyUrl,
    postgres: through(own.databaseUrl, proxy),
    prefix: own.prefix,
    queue: "random",
    concurrency: 5,
    lease: 800,
    steps,
    failing: 10,
    work: 25,
    pauses: true,
  };
  const start = (): void => {
    const worker = startProcess("step-worker.ts", settings);
    processes.push(worker);
    workers.push(worker);
  };
  try {
    const keyline = new Keyline({ valkey: own.valkeyUrl, postgres: own.databaseUrl, prefix: own.prefix });
    await keyline.migrate();
    await own.pool.query(createTable);
    const queue = keyline.queue<{ n: number }>("random", { transactional: true, lease: 800, maxAttempts: 1_000 });
    const added = await queue.addMany(Array.from({ length: jobs }, (_, n) => ({ data: { n } })));
    for (let n = 0; n < 3; n++) start();
    const signals = sendSignals(
      queue,
      added.map(({ id }) => id).toSorted(() => random() - 0.5),
    );
    const settled = async (): Promise<number> =>
      own.pool.query("SELECT FROM step_effects WHERE step = -1").then(
        ({ rowCount }) => rowCount ?? 0,
        () => 0,
      );
    const struck: string[] = [];
    for (let faults = 0; faults < 14; faults++) {
      const before = await settled();
      if (before === jobs) break;
      const victim = workers[pick(workers.length)];
      const kind = ["kill", "kill", "stop", "cut", "swallow", "restart", "flush"][pick(7)] ?? "";
      struck.push(kind);
      if (kind === "kill" && victim) {
        victim.signal("SIGKILL");
        await victim.exited;
        lines.push(...victim.lines);
        workers.splice(workers.indexOf(victim), 1);
        start();
      } else if (kind === "stop" && victim) {
        victim.signal("SIGSTOP");
        setTimeout(() => victim.signal("SIGCONT"), 1_200);
      } else if (kind === "cut") {
        proxy.cutAll();
      } else if (kind === "swallow") {
        proxy.swallowReply(containing("COMMIT"), { times: 2 });
      } else if (kind === "flush") {
        await own.valkey.flushall();
      } else {
        await postgres.restart("immediate");
      }
      // Until something has been done again, so that each fault strikes work.
      await eventually("work goes on", async () => (await settled()) > before, 60_000);
    }
    await signals;
    await eventually("all jobs are settled", async () => (await settled()) >= jobs, 120_000);
    await eventually("no row is left", async () => (await own.pool.query("SELECT FROM keyline.job")).rowCount === 0, 60_000);
    for (const worker of workers) worker.signal("SIGTERM");
    await Promise.all(workers.map((worker) => worker.exited));
    lines.push(...workers.flatMap((worker) => worker.lines));
    expect(struck.length, `seed ${seed}: ${struck.join(" ")}`).toBeGreaterThan(3);
    await checkHistory(own, "random", { jobs, steps, lines });
    await keyline.close();
  } catch (error) {
    throw new Error(`with SEED=${seed}`, { cause: error });
  } finally {
    await own.close();
    await proxy.stop();
    await Promise.all([postgres.stop(), valkey.stop()]);
  }
}, 300_000);

/** Sends each job its signal, one after the other, and again where it is not known whether it was sent. */
async function sendSignals(queue: Queue<{ n: number }, { n: number }, true>, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    for (let isSent = false; !isSent;) {
      isSent = await queue.signal(id, "go", id).then(
        (isThere) => isThere || Promise.reject(new Error(`job ${id} is gone without its signal`)),
        (error: unknown) => {
          if (/^(POSTGRES_|OUTCOME_)/.test((error as { code?: string }).code ?? "")) return false;
          throw error;
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
