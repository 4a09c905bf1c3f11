import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { seeded, startProcess, type TestProcess } from "../../support/processes.ts";
import { listed } from "../../support/schedule-stage.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));
const every = 200;
const hour = 3_600_000;
// With other tests beside them, processes and servers may take long for anything.
const patienceMs = 90_000;

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
let processes: TestProcess[] = [];
let random: () => number;

beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (at bigint)");
});
beforeEach(() => {
  random = seeded(seed);
});
afterEach(end);
afterAll(async () => {
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

function end(): void {
  for (const one of processes) one.signal("SIGKILL");
  processes = [];
}

interface Plan {
  readonly queue: string;
  readonly transactional: boolean;
  /** The time of the first tick. */
  readonly first: number;
  /** How many there are in all. */
  readonly limit: number;
}

async function planFor(queue: string, { transactional, seconds }: { transactional: boolean; seconds: number }): Promise<Plan> {
  const limit = (seconds * 1_000) / every;
  // The first of many, before its first tick.
  const declaring = stage.keyline();
  const { nextAt: first = 0 } = await declaring
    .queue<number>(queue, { transactional, lease: 1_000, maxAttempts: 1_000 } as object)
    .schedule("tick", { every, limit, missed: "all", data: 1 });
  await declaring.close();
  return { queue, transactional, first, limit };
}

/** Each of them declares the schedule. The clock of every second one is an hour fast or slow. */
function start(plan: Plan): TestProcess {
  const clock = [0, hour, 0, -hour][processes.length % 4] ?? 0;
  const servers = { valkey: valkey.url, postgres: stage.databaseUrl, prefix: stage.prefix };
  const one = startProcess("schedule-worker.ts", { ...servers, ...plan, every, lease: 1_000, declares: true, clock });
  processes.push(one);
  return one;
}

async function kill(plan: Plan): Promise<void> {
  const alive = processes.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const victim = alive[Math.floor(random() * alive.length)];
  victim?.signal("SIGKILL");
  await victim?.exited;
  start(plan);
}

const pass = (share: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, share * 1_000 * (0.5 + random())));

function ticksOf({ first, limit }: Plan): number[] {
  return Array.from({ length: limit }, (_, index) => first + index * every);
}

function runs(): { readonly id: string; readonly at: number; readonly attempt: number; readonly ran: number }[] {
  return processes.flatMap(({ lines }) => lines.filter((line) => "attempt" in line)) as unknown as ReturnType<typeof runs>;
}

test(`each tick of a plain queue is one job, with four processes that declare it, are killed and have wrong clocks (seed ${seed})`, async () => {
  const plan = await planFor("plain", { transactional: false, seconds: 8 });
  for (let count = 0; count < 4; count++) start(plan);
  await Promise.all(
    processes.map(async (one) => eventually("it has declared", () => one.lines.some((line) => "declared" in line), patienceMs)),
  );
  for (let kills = 0; kills < 6; kills++) {
    await pass(1);
    await kill(plan);
  }
  const queue = stage.keyline().queue<number>("plain", { lease: 1_000, maxAttempts: 1_000 });
  await eventually("the schedule is over", async () => (await listed(queue.schedules()))[0]?.nextAt === undefined, patienceMs);
  await eventually(
    "nothing is left",
    async () => {
      const { waiting, running } = await queue.counts();
      return waiting + running === 0;
    },
    patienceMs,
  );
  const ran = runs();
  expect([...new Set(ran.map(({ at }) => at))].toSorted((one, other) => one - other)).toEqual(ticksOf(plan));
  expect(
    ran.filter((one) => one.ran < one.at),
    "ticks that came before their time",
  ).toEqual([]);
  const firstRuns = ran.filter(({ attempt }) => attempt === 1).map(({ id }) => id);
  expect(
    firstRuns.filter((id, index) => firstRuns.indexOf(id) !== index),
    "ticks that were added twice",
  ).toEqual([]);
  expect(await listed(queue.schedules())).toMatchObject([{ ticks: ticksOf(plan).length }]);
}, 400_000);

test(`each tick of a transactional queue has its effect once, with processes killed, Valkey flushed and killed, and PostgreSQL restarted (seed ${seed})`, async () => {
  const plan = await planFor("recorded", { transactional: true, seconds: 20 });
  for (let count = 0; count < 4; count++) start(plan);
  await Promise.all(
    processes.map(async (one) => eventually("it has declared", () => one.lines.some((line) => "declared" in line), patienceMs)),
  );
  await pass(2);
  await kill(plan);
  await stage.valkey.flushall();
  await pass(2);
  await kill(plan);
  await postgres.restart("immediate");
  await kill(plan);
  await pass(2);
  await valkey.kill();
  await kill(plan);
  await pass(1);
  await valkey.restart();
  await pass(2);
  await stage.valkey.flushall();
  await kill(plan);
  const queue = stage.keyline().queue<number>("recorded", { transactional: true, lease: 1_000, maxAttempts: 1_000 });
  const over = async (): Promise<boolean> => (await listed(queue.schedules()).catch(() => []))[0]?.ticks === ticksOf(plan).length;
  await eventually("the schedule is over", over, patienceMs);
  const left = async (): Promise<number> => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'recorded'")).rows.length;
  await eventually("no row is unsettled", async () => (await left()) === 0, patienceMs);
  const { rows } = await stage.pool.query<{ at: string }>("SELECT at FROM effects ORDER BY at");
  expect(rows.map(({ at }) => Number(at))).toEqual(ticksOf(plan));
  expect(
    runs().filter((one) => one.ran < one.at),
    "ticks that came before their time",
  ).toEqual([]);
  expect(await listed(queue.schedules())).toMatchObject([{ ticks: ticksOf(plan).length, nextAt: undefined }]);
}, 400_000);
