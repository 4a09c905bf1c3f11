import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hasTerminals, keyline, objects, onTerminal, plain, printed, startOnTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test.each([
  ["plain", "--create"],
  ["recorded", "--transactional"],
])("jobs are added, listed, shown and cancelled on a queue that is %s", async (name, kind) => {
  const { run, env } = shop;
  expect(await run("add", name, '{"to":"ada"}', kind, "--id", "first", "--priority", "high")).toEqual({
    code: 0,
    stdout: `Added first to ${name}.\n`,
    stderr: "",
  });
  const [again, later, lines] = await Promise.all([
    run("add", name, "1", "--id", "first", "--json"),
    keyline(["add", name, "-", "--delay", "1h", "--group", "g", "--json=id,added"], { env, input: '{"to":"bob"}' }),
    keyline(["add", name, "--lines"], { env, input: "1\n\n2\n3\n" }),
  ]);
  expect(objects(again)).toEqual([{ queue: name, id: "first", added: false }]);
  expect(objects(later)).toEqual([{ id: expect.any(String) as string, added: true }]);
  expect(lines).toMatchObject({ code: 0, stdout: `Added 3 jobs to ${name}.\n` });

  const id = String(objects(later)[0]?.["id"]);
  const [all, scheduled, tabs, job] = await Promise.all([
    run("jobs", name, "--json"),
    run("jobs", name, "--state", "scheduled", "--json=id,group,data"),
    run("jobs", name, "--group", "g"),
    run("job", name, id, "--json"),
  ]);
  expect(objects(all)).toHaveLength(5);
  expect(objects(all).map(({ data }) => data)).toEqual(expect.arrayContaining([{ to: "ada" }, { to: "bob" }, 1, 2, 3]));
  expect(objects(scheduled)).toEqual([{ id, group: "g", data: { to: "bob" } }]);
  expect(tabs.stdout).toMatch(new RegExp(`^${id}\tscheduled\t0\t[^\t]*\t\\d{4}-\\d\\d-\\d\\dT[^\t]*Z\tg\t\t\\{"to":"bob"\\}\n$`));
  expect(objects(job)).toMatchObject([{ id, state: "scheduled", data: { to: "bob" }, priority: "normal" }]);

  expect(objects(await run("cancel", name, id, "--yes", "--json"))).toEqual([{ queue: name, id, was: "scheduled" }]);
  expect(await run("cancel", name, "--all", "--yes")).toMatchObject({ code: 0, stdout: `Cancelled 4 jobs of ${name}.\n` });
  expect(await run("jobs", name)).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("what there is not is refused, and so is what nobody can be asked about", async () => {
  const { run, app } = shop;
  await app.queue("calls").add(1);
  await shop.known();
  const refusals: readonly (readonly [args: string[], code: number, says: string | RegExp])[] = [
    [["add", "cals", "1"], 2, /^There is no queue cals\. Did you mean calls\? There are: .*calls/],
    [["jobs", "cals"], 2, "Did you mean calls?"],
    [["jobs", ""], 2, 'There is no queue "".'],
    [["add", "calls", "1", "--transactional"], 2, "is not transactional"],
    [["job", "calls", "nobody"], 1, "Queue calls has no job nobody, and remembers none.\n"],
    [["cancel", "calls", "nobody", "--yes"], 1, "Queue calls has no job nobody that has not ended."],
    [["cancel", "calls", "--all"], 2, "say --yes"],
    [["jobs", "calls", "--json=id,colour"], 2, /There is no field "colour".*id, state, data/],
    [["jobs", "calls", "--cursor", "elsewhere"], 2, "is no cursor"],
  ];
  const results = await Promise.all(refusals.map(([args]) => run(...args)));
  for (const [index, [args, code, says]] of refusals.entries()) {
    const result = results[index];
    expect(result?.stderr, args.join(" ")).toEqual(typeof says === "string" ? expect.stringContaining(says) : expect.stringMatching(says));
    expect({ code: result?.code, stdout: result?.stdout }, args.join(" ")).toEqual({ code, stdout: "" });
  }
  expect(await run("cancel", "calls", "nobody", "nowhere", "--yes")).toEqual({
    code: 1,
    stdout: "Cancelled 0 jobs of calls.\n",
    stderr: "Of those that were named 2 are not there.\n",
  });
});

test("whoever waits is told the result, or why there is none", async () => {
  const { run, app } = shop;
  const queue = app.queue<{ x: number }>("sums", { maxAttempts: 1 });
  const worker = queue.work((job) => {
    if (job.data.x < 0) throw new Error("x is below zero");
    return { square: job.data.x ** 2 };
  });
  await queue.add({ x: 0 });
  await shop.known();
  const [good, bad] = await Promise.all([run("add", "sums", '{"x":7}', "--wait"), run("add", "sums", '{"x":-1}', "--wait", "30s")]);
  expect(good).toMatchObject({ code: 0, stdout: '{"square":49}\n' });
  expect(bad.code).toBe(1);
  expect(bad.stderr).toContain("x is below zero");
  await worker.stop();
});

test("a job is shown with what belongs to it, and its family as a tree", async () => {
  const { run, app } = shop;
  const trips = app.queue<string>("trips", { maxAttempts: 1 });
  const child = (data: string, id: string): { queue: typeof trips; data: string; options: { id: string } } => ({
    queue: trips,
    data,
    options: { id },
  });
  await trips.add("trip", { id: "trip-1", children: [child("flight", "flight-1"), child("hotel", "hotel-1")], onChildDead: "ignore" });
  await shop.known();
  const [tree, json] = await Promise.all([
    run("job", "trips", "trip-1", "--family"),
    run("job", "trips", "trip-1", "--family", "--json=id,state"),
  ]);
  expect(tree).toEqual({
    code: 0,
    stdout: "trip-1 of trips, parked\n  flight-1 of trips, open\n  hotel-1 of trips, open\n",
    stderr: "",
  });
  expect(objects(json)).toEqual([{ id: "trip-1", state: "parked" }]);
  const worker = trips.work((job) => {
    if (job.data === "hotel") throw new Error("no room");
  });
  await new Promise<void>((resolve) => worker.on("dead", () => resolve()));
  await worker.stop();
  const hotel = await run("job", "trips", "hotel-1");
  expect(hotel.stdout).toMatch(/^state\tdead$/m);
  expect(hotel.stdout).toMatch(/^error\tError: no room$/m);
  expect(hotel.stdout).toMatch(/^stack\tError: no room .*jobs\.test\.ts/m);
});

test("a queue and its groups are paused and resumed, its limits are set", async () => {
  const { run, app } = shop;
  const queue = app.queue("calls");
  await queue.add(1);
  await shop.known();
  expect(await run("pause", "calls")).toMatchObject({ code: 0, stdout: "Paused calls.\n" });
  expect((await queue.counts()).paused).toBe(true);
  const [resumed, group] = await Promise.all([run("resume", "calls", "--json"), run("pause", "calls", "--group", "g")]);
  expect(objects(resumed)).toEqual([{ queue: "calls", group: null, paused: false }]);
  expect(group.stdout).toBe("Paused group g of calls.\n");
  expect((await queue.counts()).paused).toBe(false);

  const set = await run("limits", "set", "calls", "--concurrency", "5", "--rate", "100/s", "--group-rate", "20/5m");
  expect(set).toMatchObject({ code: 0, stdout: "concurrency\t5\nrate\t100 in 1s\ngroup concurrency\t1\ngroup rate\t20 in 5m\n" });
  expect(await queue.limits()).toEqual({ concurrency: 5, rate: { max: 100, per: 1_000 }, group: { rate: { max: 20, per: 300_000 } } });
  await run("limits", "set", "calls", "--concurrency", "none", "--group-rate", "none");
  expect(objects(await run("limits", "calls", "--json"))).toEqual([
    { queue: "calls", concurrency: null, rate: { max: 100, per: 1_000 }, groupConcurrency: null, groupRate: null },
  ]);
});

test.runIf(hasTerminals)(
  "a terminal gets a table that fits it, in colour unless NO_COLOR is set, and nothing that it would obey",
  async () => {
    const queue = shop.app.queue<{ text: string }>("letters", { maxAttempts: 1 });
    const worker = queue.work(() => {
      throw new Error("\u001b[2Jcleared\u0007 away");
    });
    const { id } = await queue.add({ text: "\u009b31m and a long payload that goes on and on and on, for longer than a line" });
    await new Promise<void>((resolve) => worker.on("dead", () => resolve()));
    await worker.stop();
    const narrow = { env: shop.env, columns: 70 };
    const [table, colourless, details, tabs, json] = await Promise.all([
      onTerminal(["jobs", "letters"], narrow),
      onTerminal(["jobs", "letters"], { ...narrow, env: { ...shop.env, NO_COLOR: "1" } }),
      onTerminal(["job", "letters", id], narrow),
      shop.run("jobs", "letters"),
      shop.run("jobs", "letters", "--json"),
    ]);
    expect(table.lines[0]).toMatch(/^ID +STATE +ATTEMPTS +ERROR +DATA$/);
    expect(table.lines[1]).toMatch(new RegExp(`^${id}  dead +1  .+…  .+…$`));
    for (const line of table.lines) expect(line.length).toBeLessThanOrEqual(70);
    expect(table.stdout).toContain("\u001b[31mdead");
    expect(colourless.stdout).not.toContain("\u001b[");
    expect(plain(details.stdout)).toContain("\\u001b[2Jcleared");
    for (const { stdout } of [table, details, tabs, json])
      for (const order of ["\u001b[2J", "\u0007", "\u009b"]) expect(stdout).not.toContain(order);
    expect(tabs.stdout).toContain("for longer than a line");
  },
);

test.runIf(hasTerminals)(
  "letters as wide as two are counted as such, and where it is narrow whole columns go, not halves of numbers",
  async () => {
    const queue = shop.app.queue<object>("wide");
    const family = "\u{1f469}\u200d\u{1f467}";
    const text = `${family.repeat(2)}${"漢字".repeat(20)}${family.repeat(20)}`;
    const { id } = await queue.add({ text }, { group: "顧客七番" });
    await shop.known();
    const at = (columns: number, ...args: string[]): ReturnType<typeof onTerminal> => onTerminal(args, { env: shop.env, columns });
    const [wide, narrow, tiny, status] = await Promise.all([
      at(84, "jobs", "wide"),
      at(46, "jobs", "wide"),
      at(10, "jobs", "wide"),
      at(44, "status"),
    ]);
    const widthOf = (given: string, line = given.replaceAll(family, "xx")): number =>
      line.length + (line.match(/\p{Script=Han}/gu)?.length ?? 0);
    for (const [{ lines }, most] of [
      [wide, 84],
      [narrow, 46],
      [tiny, 10],
    ] as const) {
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(most);
    }
    // Its group is shown whole, and below its heading.
    expect(wide.lines[0]?.indexOf("DATA")).toBe((wide.lines[1]?.indexOf("{") ?? 0) + "顧客七番".length);
    expect(wide.lines[1]).toMatch(new RegExp(`^${id} .* 顧客七番 +\\{"text":"${family}${family}[漢字]+…$`));
    expect(narrow.lines[0]).toMatch(/^ID +GROUP +DATA$/);
    for (const { stdout } of [wide, narrow, tiny]) expect(stdout).not.toContain("\ufffd");
    const head = status.lines.find((line) => line.startsWith("KIND"));
    expect(head).toMatch(/^KIND +NAME(?: +[A-Z/]+)*$/);
    expect(head).not.toContain("…");
  },
);

test.runIf(hasTerminals)("whoever gives no data at a terminal is told that it is waited for", async () => {
  const queue = shop.app.queue("typed");
  await queue.pause();
  await shop.known();
  const add = startOnTerminal(["add", "typed", "--create"], { env: shop.env });
  await printed(add, /Type JSON, and then Ctrl-D/);
  add.stdin?.write('{"n":1}\n\u0004');
  await printed(add, /Added \S+ to typed\./);
  expect((await queue.counts()).waiting).toBe(1);
});
