import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { groupsPage } from "../../src/api/group.ts";
import { jobsPage, jobView } from "../../src/api/job.ts";
import { causesView, lettersPage } from "../../src/api/letter.ts";
import { queueStores, queueView } from "../../src/api/queue.ts";
import { alwaysSlow, asked } from "../support/asked.ts";
import { openConsole, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

const jobs = 1_000_000;
const groups = 10_000;
const dead = 2_000;

/** Lengthens the line of each of these groups by jobs like the one that stands in it. */
const lengthen = `
  local base, from, to, last = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
  for group = from, to do
    local name = 'g' .. string.format('%d', group)
    local first = redis.call('HGET', base .. 'lines', string.match(redis.call('HGET', base .. 'grouped', name), '^(.-)\\30'))
    local before = string.match(first, '"id":"([^"]+)"')
    for number = 2, last do
      local id = string.format('%d-%d', group, number)
      local element = string.gsub(first, '"id":"[^"]+"', '"id":"' .. id .. '"')
      if number % 4 == 0 then element = string.gsub(element, ',"data":', ',"line":' .. number .. ',"data":') end
      redis.call('HSET', base .. 'lines', before, element)
      before = id
    end
    redis.call('HSET', base .. 'lines', '\\29' .. name, last .. ' 0 ' .. before)
    redis.call('INCRBY', base .. 'blocked', last - 1)
  end`;

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline() });
  const queue = keyline.queue<number>("large", { maxAttempts: 1 });
  await queue.addMany(Array.from({ length: dead }, (_, data) => ({ data })));
  const worker = queue.work(({ data }) => Promise.reject(new Error(`number ${data} is too large`)), { concurrency: 500 });
  await eventually("they are dead", async () => (await queue.counts()).dead === dead, 60_000);
  await worker.stop();
  for (let first = 0; first < jobs; first += 10_000) {
    await queue.addMany(Array.from({ length: 10_000 }, (_, index) => ({ data: first + index })));
  }
  const grouped = keyline.queue<number>("grouped");
  await grouped.addMany(Array.from({ length: groups }, (_, index) => ({ data: index, group: `g${index}` })));
  // All of them but one of each group stand in lines: the first two of each as Keyline puts them, and the others like the second.
  const lined = keyline.queue<number>("lined");
  for (let turn = 0; turn < 2; turn++) {
    await lined.addMany(Array.from({ length: groups }, (_, index) => ({ data: index, group: `g${index}` })));
  }
  for (let first = 0; first < groups; first += 500) {
    await stage.valkey.eval(lengthen, 1, `${stage.prefix}:{lined}:`, first, first + 499, jobs / groups - 1);
  }
  await lined.add(0, { id: "own", group: "g0" });
  await eventually("the console knows all", async () => {
    const found = await Promise.all(["large", "grouped", "lined"].map((name) => console.get(`api/queues/${name}`)));
    return found.every(({ status }) => status === 200);
  });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

// Of each of the two hundred groups of a page the beginning of its line is looked at.
const mostOf = new Map([
  ["rates", 1_500],
  ["groups in line", 2_000],
]);
const scans = ["keys", "scan", "smembers", "sort", "hvals"];

test("every page of a queue of many jobs is a few bounded commands", async () => {
  const first = valid(jobsPage, await console.get("api/queues/large/jobs?limit=50"));
  const id = first.jobs.at(-1)?.id ?? "";
  // What is asked for with the first page alone is not what this is about.
  await console.get("api/health");
  const state = (name: string, queue = "large"): (() => Promise<unknown>) => {
    return async () => valid(jobsPage, await console.get(`api/queues/${queue}/jobs?state=${name}&limit=50`));
  };
  const pages: Record<string, () => Promise<unknown>> = {
    health: () => console.get("api/health"),
    overview: () => console.get("api/overview"),
    queue: async () => expect(valid(queueView, await console.get("api/queues/large")).counts?.waiting).toBe(jobs),
    jobs: async () => expect(valid(jobsPage, await console.get("api/queues/large/jobs?state=waiting&limit=50")).jobs).toHaveLength(50),
    "next jobs": async () =>
      expect(valid(jobsPage, await console.get(`api/queues/large/jobs?limit=50&cursor=${first.next}`)).jobs).toHaveLength(50),
    job: async () => expect(valid(jobView, await console.get(`api/queues/large/jobs/${id}`)).state).toBe("waiting"),
    letters: async () => expect(valid(lettersPage, await console.get("api/queues/large/letters?limit=50")).letters).toHaveLength(50),
    causes: async () => expect(valid(causesView, await console.get("api/queues/large/causes")).looked).toBe(dead),
    scheduled: state("scheduled"),
    running: state("running"),
    dead: state("dead"),
    // None of them has a line.
    blocked: state("blocked", "grouped"),
    "in lines": async () =>
      expect(valid(jobsPage, await console.get("api/queues/lined/jobs?state=blocked&limit=50")).jobs).toHaveLength(50),
    "all in lines": async () => expect(valid(jobsPage, await console.get("api/queues/lined/jobs?limit=50")).jobs).toHaveLength(50),
    "of a group in line": async () =>
      expect(valid(jobsPage, await console.get("api/queues/lined/jobs?group=g9999&limit=50")).jobs).toHaveLength(50),
    "groups in line": async () =>
      expect(valid(groupsPage, await console.get("api/queues/lined/groups?state=blocked&limit=50")).groups).toHaveLength(50),
    "queue of lines": async () =>
      expect(valid(queueView, await console.get("api/queues/lined")).counts).toMatchObject({ waiting: groups, blocked: jobs - groups + 1 }),
    "all of groups": async () => expect(valid(jobsPage, await console.get("api/queues/grouped/jobs?limit=50")).jobs).toHaveLength(50),
    "of a group": async () =>
      expect(valid(jobsPage, await console.get("api/queues/grouped/jobs?group=g9999&limit=50")).jobs).toHaveLength(1),
    rates: () => console.get("api/queues/large/rates?hours=720"),
    stores: async () => expect(valid(queueStores, await console.get("api/queues/large/stores")).valkey).toBeGreaterThanOrEqual(jobs),
    groups: async () => expect(valid(groupsPage, await console.get("api/queues/grouped/groups?limit=50")).groups).toHaveLength(50),
  };
  for (const [page, look] of Object.entries(pages)) {
    const commands = await asked(stage, look);
    for (const scan of scans) expect(commands.get(scan) ?? 0, `${page}: ${scan}`).toBe(0);
    const sent = [...commands]
      .filter(([name]) => !["info", "config|resetstat", "ping"].includes(name))
      .reduce((sum, [, calls]) => sum + calls, 0);
    // Those within scripts are counted too: 60 for each list of figures.
    expect(sent, `${page}: ${JSON.stringify([...commands])}`).toBeLessThan(mostOf.get(page) ?? 700);
    expect(await alwaysSlow(stage, look), page).toEqual([]);
  }
});

test("a job with an id of its own is found in a line among a million, which takes its time", async () => {
  expect(valid(jobView, await console.get("api/queues/lined/jobs/own"))).toMatchObject({ state: "blocked", group: "g0" });
});

test("a page of groups in a state looks at a bounded number of them, and the pages together at all", async () => {
  const queue = keyline.queue<number>("grouped");
  await queue.pause({ group: "g77" });
  const names: string[] = [];
  let pages = 0;
  for (let next: string | null = ""; next !== null; pages++) {
    const cursor: string = next === "" ? "" : `&cursor=${encodeURIComponent(next)}`;
    const { groups: found, next: behind } = valid(
      groupsPage,
      await console.get(`api/queues/grouped/groups?state=paused&limit=50${cursor}`),
    );
    names.push(...found.map(({ name }) => name));
    next = behind;
  }
  expect(names).toEqual(["g77"]);
  expect(pages).toBeGreaterThanOrEqual(groups / 1_000);
});
