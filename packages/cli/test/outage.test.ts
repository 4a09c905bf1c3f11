import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { startPostgres, startValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { expect, test, vi } from "vitest";
import { eventually } from "../../keyline/test/support/stage.ts";
import { ended, keyline, objects, printed, start } from "./support/command.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

test("whoever watches sees a store go away and come back, and doctor says what to do meanwhile", async () => {
  const valkey = await startValkey({ persistence: true });
  const env = { VALKEY_URL: valkey.url };
  const app = new Keyline({ valkey: valkey.url });
  await app.queue("emails").add(1);
  await app.close();
  const watch = start(["status", "--watch", "0.1", "--json=healthy,stores,items"], { env });
  await printed(watch, /"name":"emails"/);
  await valkey.kill();
  await printed(watch, /"state":"away"/);
  const [doctor, checked, queues] = await Promise.all([
    keyline(["doctor", "--json"], { env }),
    keyline(["status", "--check"], { env }),
    keyline(["queues"], { env }),
  ]);
  expect(doctor.code).toBe(3);
  expect(objects(doctor)[0]).toMatchObject({ valkey: { state: "away" }, warnings: [{ code: "VALKEY_AWAY" }] });
  expect(checked).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^Valkey at \S+ is away: /) as string });
  expect(queues).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^Valkey at \S+ is away: /) as string });
  await valkey.restart();
  await printed(watch, /"state":"ok".*"name":"emails"/);
  watch.kill("SIGINT");
  expect(await once(watch, "close")).toEqual([0, null]);
  await valkey.stop();
});

test("while one store is away, what the other one knows is shown, and which one is away is said", async () => {
  const [valkey, postgres] = await Promise.all([startValkey({ persistence: true }), startPostgres()]);
  const env = { VALKEY_URL: valkey.url, DATABASE_URL: await postgres.createDatabase("shop") };
  const app = new Keyline({ valkey: env.VALKEY_URL, postgres: env.DATABASE_URL });
  await app.migrate();
  await app.queue("emails").add(1);
  const orders = app.queue("orders", { transactional: true, maxAttempts: 1 });
  await orders.add(0, { id: "dead" });
  const worker = orders.work(() => Promise.reject(new Error("no stock")));
  await new Promise((resolve) => worker.on("dead", resolve));
  await worker.stop();
  await orders.addMany([{ data: 1, id: "first", group: "g" }, { data: 2 }]);
  await app.close();
  const watch = start(["status", "--watch", "0.1", "--json=stores,items"], { env });
  await printed(watch, /"name":"orders"/);

  await postgres.kill();
  await printed(watch, /"postgres","state":"away".*"name":"emails"/);
  const [status, queues, jobs, rows, doctor] = await Promise.all([
    keyline(["status", "--json"], { env }),
    keyline(["queues", "--json"], { env }),
    keyline(["jobs", "emails", "--json=state"], { env }),
    keyline(["jobs", "orders"], { env }),
    keyline(["doctor"], { env }),
  ]);
  expect(status.code).toBe(1);
  expect(objects(status)[0]).toMatchObject({
    healthy: false,
    stores: [{ state: "ok" }, { state: "away" }],
    items: expect.arrayContaining([
      expect.objectContaining({ name: "emails", waiting: 1, isComplete: true }),
      expect.objectContaining({ name: "orders", waiting: 2, workers: 0, isComplete: false }),
    ]) as object[],
  });
  expect(queues).toMatchObject({ code: 1, stderr: expect.stringMatching(/^PostgreSQL at \S+ is away: /) as string });
  expect(objects(queues)).toMatchObject([
    { name: "emails", waiting: 1 },
    { name: "orders", transactional: true, waiting: 2, workers: 0 },
  ]);
  expect(jobs).toEqual({ code: 0, stdout: '{"state":"waiting"}\n', stderr: "" });
  expect(rows).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("Asked was PostgreSQL at") as string });
  expect(doctor).toMatchObject({ code: 3, stdout: expect.stringMatching(/^PostgreSQL\taway \(asked was PostgreSQL at/m) as string });
  await postgres.restart();
  await printed(watch, /"postgres","state":"ok".*"name":"orders"/);

  await valkey.kill();
  await printed(watch, /"valkey","state":"away".*"name":"orders"/);
  const others = await Promise.all([
    keyline(["status", "--check", "--json"], { env }),
    keyline(["queues", "--json"], { env }),
    keyline(["jobs", "emails"], { env }),
  ]);
  const nothing = { stdout: "" };
  const isSaid = expect.stringMatching(/^Valkey at \S+ is away: /) as string;
  const lists = [
    ["jobs", "orders"],
    ["job", "orders", "first"],
    ["letters", "orders"],
    ["causes", "orders"],
    ["groups", "orders"],
    ["rates", "orders", "--hours", "2"],
  ];
  const told = await Promise.all(lists.map((list) => keyline([...list, "--json"], { env })));
  for (const list of told) expect(list).toMatchObject({ code: 1, stderr: isSaid });
  expect(objects(told[0] ?? nothing)).toMatchObject([
    { state: "waiting", isFromRow: true },
    { id: "dead", state: "dead" },
    { id: "first", state: "waiting", isFromRow: true },
  ]);
  expect(objects(told[1] ?? nothing)).toMatchObject([{ id: "first", data: 1 }]);
  expect(objects(told[2] ?? nothing)).toMatchObject([{ id: "dead", reason: expect.stringContaining("no stock") as string }]);
  expect(objects(told[3] ?? nothing)).toMatchObject([{ count: 1 }]);
  expect(objects(told[4] ?? nothing)).toMatchObject([{ name: "g", state: "running", isFromRows: true }]);
  expect(objects(told[5] ?? nothing)).toHaveLength(2);
  const running = await keyline(["jobs", "orders", "--state", "running"], { env });
  expect(running).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("PostgreSQL has of orders: 2 that wait or run") as string,
  });
  expect(others[0].code).toBe(3);
  expect(objects(others[0])[0]).toMatchObject({
    stores: [{ state: "away" }, { state: "ok" }],
    items: [{ name: "orders", waiting: 2, dead: 1, isComplete: false }],
  });
  expect(others[1]).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Valkey at \S+ is away: /) as string });
  expect(objects(others[1])).toMatchObject([{ name: "orders", waiting: 2, isFromRows: true }]);
  // Whether there is one only Valkey could say: that it is not there would be a lie.
  expect(others[2]).toMatchObject({ code: 1, stderr: expect.stringContaining("Only there it may be known") as string });
  await valkey.restart();
  await printed(watch, /"valkey","state":"ok".*"name":"emails"/);
  watch.kill("SIGINT");
  expect(await once(watch, "close")).toEqual([0, null]);
  await Promise.all([valkey.stop(), postgres.stop()]);
});

test("a Valkey that hangs is told of like one that is away, and rows tell what they know", async () => {
  const [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  const env = { VALKEY_URL: valkey.url, DATABASE_URL: await postgres.createDatabase("shop") };
  const app = new Keyline({ valkey: env.VALKEY_URL, postgres: env.DATABASE_URL });
  await app.migrate();
  await app.queue("orders", { transactional: true }).add(1, { id: "first", group: "g" });
  await app.close();
  valkey.pause();
  const lists = [["jobs", "orders"], ["groups", "orders"], ["queues"], ["workers", "orders"]];
  const [doctor, status, ...told] = await Promise.all([
    keyline(["doctor", "--json"], { env }),
    keyline(["status", "--check", "--json"], { env }),
    ...lists.map((list) => keyline([...list, "--json"], { env })),
  ]);
  expect(doctor.code).toBe(3);
  expect(objects(doctor)[0]).toMatchObject({
    valkey: { state: "away" },
    warnings: expect.arrayContaining([expect.objectContaining({ code: "VALKEY_AWAY" })]) as object[],
  });
  expect(status.code).toBe(3);
  expect(objects(status)[0]).toMatchObject({ stores: [{ state: "away" }, { state: "ok" }], items: [{ name: "orders", waiting: 1 }] });
  for (const one of told) expect(one).toMatchObject({ code: 1, stderr: expect.stringContaining("Valkey at 127.0.0.1") as string });
  const nothing = { stdout: "" };
  expect(objects(told[0] ?? nothing)).toMatchObject([{ id: "first", isFromRow: true }]);
  expect(objects(told[1] ?? nothing)).toMatchObject([{ name: "g", isFromRows: true }]);
  expect(objects(told[2] ?? nothing)).toMatchObject([{ name: "orders", isFromRows: true }]);
  expect(told[3]).toMatchObject({ stdout: "" });
  valkey.resume();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

/** Follows something, and keeps what it prints. */
function follow(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = start(["tail", ...args], { env });
  const result = ended(child);
  let stdout = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  // Of a line that is not whole yet nothing is known.
  const seen = (): Record<string, unknown>[] => objects({ stdout: stdout.slice(0, stdout.lastIndexOf("\n") + 1) });
  return { child, result, seen };
}

test.each([
  { persistence: true, gaps: [["restarted"], ["disconnected"], []] },
  { persistence: false, gaps: [["lost"], ["disconnected"], ["lost"]] },
])(
  "whoever follows goes on when Valkey is back, and is told in its place what may be missing (persistence: $persistence)",
  async ({ persistence, gaps }) => {
    const valkey = await startValkey({ persistence });
    const env = { VALKEY_URL: valkey.url };
    const app = new Keyline({ valkey: valkey.url });
    const [queue, channel, stream] = [app.queue<number>("emails"), app.channel<number>("news"), app.stream<number>("log")];
    const move = (n: number): Promise<unknown> =>
      Promise.allSettled([queue.add(n, { id: `${n}-${randomUUID()}` }), channel.publish(n), stream.append(n)]);
    await move(1);
    await Promise.all([app.directory.queues(), app.directory.streams()]);
    const tails = [
      follow(["queue", "emails", "--json"], env),
      // Who asks for certain fields is told of a gap as well.
      follow(["channel", "news", "--json=data"], env),
      follow(["stream", "log", "--json"], env),
    ];
    await eventually("each follows", async () => {
      await move(1);
      return tails.every(({ seen }) => seen().length > 0);
    });
    await valkey.kill();
    await valkey.restart();
    // What came before may be printed only now: on a busy machine a follower is slower than the restart.
    const isOfNow = ({ data, id }: Record<string, unknown>): boolean => data === 2 || String(id).startsWith("2-");
    await eventually(
      "each goes on",
      async () => {
        await move(2);
        return tails.every(({ seen }) => seen().some(isOfNow));
      },
      60_000,
    );
    for (const { child } of tails) child.kill("SIGINT");
    const ends = await Promise.all(tails.map(({ result }) => result));
    for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const told = ends.map((end) =>
      objects(end).flatMap(({ gap }) => (gap === undefined ? [] : [(gap as { readonly reason: string }).reason])),
    );
    expect(told.map((reasons) => [...new Set(reasons)])).toEqual(gaps);
    const behind = objects(ends[1] ?? { stdout: "" }).findLast(({ gap }) => gap === undefined);
    expect(behind).toEqual({ data: 2 });
    await app.close();
    await valkey.stop();
  },
);
