import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded, startProcess, type TestProcess } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
const processes: TestProcess[] = [];

beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
});
afterAll(async () => {
  for (const process of processes) process.signal("SIGKILL");
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

interface Started extends TestProcess {
  readonly role: "writer" | "consumer" | "projector";
  readonly name: string;
}

// What was acknowledged is held against the record, and the record against everything that was made of it.
test(`events survive killed writers, consumers and projectors, a flushed and a killed Valkey and a restarted PostgreSQL (seed ${seed})`, async () => {
  const random = seeded(seed);
  const keyline = stage.keyline();
  await keyline.migrate();
  await stage.pool.query(`CREATE TABLE effects (place bigserial, entry text, key text); CREATE TABLE mirror (place bigserial, entry text)`);
  const stream = keyline.stream("events", { transactional: true, key: () => "unused", retention: { maxLength: 500 } });

  let started = 0;
  const start = (role: Started["role"]): Started => {
    const name = `${role}${started++}`;
    const settings = {
      role,
      name,
      valkey: valkey.url,
      postgres: stage.databaseUrl,
      prefix: stage.prefix,
      stream: "events",
      first: started * 1_000_000,
    };
    const process = { ...startProcess("event-process.ts", settings), role, name };
    processes.push(process);
    return process;
  };
  const running: Started[] = [];
  for (const role of ["writer", "writer", "consumer", "consumer", "projector", "projector"] as const) running.push(start(role));
  const kill = async (): Promise<void> => {
    const index = Math.floor(random() * running.length);
    const victim = running[index];
    if (!victim) return;
    victim.signal("SIGKILL");
    await victim.exited;
    running[index] = start(victim.role);
  };

  // Somebody follows from the first event to the last, through everything.
  const followed: string[] = [];
  const stop = new AbortController();
  const following = (async () => {
    for await (const { id } of stream.follow({ after: "-", signal: stop.signal })) followed.push(id);
  })();

  const count = (table: string): Promise<number> =>
    stage.pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`).then(
      ({ rows }) => Number(rows[0]?.count ?? 0),
      () => -1,
    );
  let goal = 0;
  const progress = async (): Promise<void> => {
    goal = Math.max(goal, await count("effects")) + 250;
    await eventually(`${goal} effects`, async () => (await count("effects")) >= goal, 120_000);
  };

  await progress();
  await kill();
  await kill();
  await progress();
  await stage.valkey.flushall();
  await kill();
  await progress();
  await valkey.kill();
  await kill();
  await new Promise((resolve) => setTimeout(resolve, random() * 1_000));
  await valkey.restart();
  await kill();
  await progress();
  await postgres.restart("immediate");
  await kill();
  await progress();
  await stage.valkey.flushall();
  await kill();
  await kill();
  await progress();
  for (const process of running.filter(({ role }) => role === "writer")) {
    process.signal("SIGKILL");
    await process.exited;
  }

  const ids = async (text: string): Promise<string[]> => (await stage.pool.query<{ id: string }>(text)).rows.map(({ id }) => id);
  const eventId = "(position >> 20) || '-' || (position & 1048575)";
  await eventually("every committed event has its place", async () => (await count("keyline.event WHERE position < 0")) === 0);
  const record = await ids(`SELECT ${eventId} AS id FROM keyline.event ORDER BY position`);
  await eventually(
    "everything was made of it",
    async () => (await count("effects")) >= record.length && (await count("mirror")) >= record.length,
    120_000,
  );
  await eventually("the follower is at its end", () => followed.at(-1) === record.at(-1));
  stop.abort();
  await following;

  const lines = processes.flatMap((process) => process.lines);
  const written = new Set(
    (await stage.pool.query<{ n: number }>("SELECT (data::json ->> 'n')::integer AS n FROM keyline.event")).rows.map(({ n }) => n),
  );
  const acknowledged = lines.flatMap((line) => (typeof line["acknowledged"] === "number" ? [line["acknowledged"]] : []));
  const excluded = lines.flatMap((line) => (typeof line["excluded"] === "number" ? [line["excluded"]] : []));
  expect(acknowledged.length).toBeGreaterThan(700);
  expect(excluded.length).toBeGreaterThan(50);
  expect(written.size, "each event is in the record once").toBe(record.length);
  expect(
    acknowledged.filter((n) => !written.has(n)),
    "acknowledged and not in the record",
  ).toEqual([]);
  expect(
    excluded.filter((n) => written.has(n)),
    "rolled back and in the record",
  ).toEqual([]);
  expect(followed, "what the follower was given").toEqual(record);
  expect(await ids("SELECT entry AS id FROM mirror ORDER BY place"), "the projection").toEqual(record);
  const effects = await ids("SELECT entry AS id FROM effects ORDER BY place");
  expect(effects.toSorted(), "effects").toEqual(record.toSorted());
  for (let key = 0; key < 20; key++) {
    const ofKey = `WHERE key = 'k${key}'`;
    expect(await ids(`SELECT entry AS id FROM effects ${ofKey} ORDER BY place`), `the order of key ${key}`).toEqual(
      await ids(`SELECT ${eventId} AS id FROM keyline.event ${ofKey} ORDER BY position`),
    );
  }
  await eventually("the hot window is the end of the record", async () => {
    const hot = (await stage.valkey.xrange(`${stage.prefix}:{events}:events`, "-", "+")).map(([id]) => id);
    return hot.length > 0 && JSON.stringify(hot) === JSON.stringify(record.slice(-hot.length));
  });
  const ended = processes.filter(({ child }) => child.exitCode !== null && child.exitCode !== 0);
  expect(ended, "processes that ended by themselves").toEqual([]);
}, 300_000);
