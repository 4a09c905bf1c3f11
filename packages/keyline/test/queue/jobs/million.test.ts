import { Discard, type Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { slowEachTime, type NameOf } from "../../support/slow-commands.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

const million = 1_000_000;
const scheduled = 100_000;
const dead = 3_000;
const inGroup = 3_000;
const groups = ["g0", "g1", "g2", "g3", "g4", "g5"];
const thresholdUs = 1_000;
const begin = 1_700_000_000_000;
const data = "x".repeat(40);

let stage: Stage;
let queue: Queue<string>;

// As Keyline makes them, but for every third one.
const idOf = (index: number): string =>
  index % 3 === 0 ? `job-${index}` : `${(begin + index).toString(36).padStart(9, "0")}000millions`.slice(0, 20);
const elementOf = (index: number): string => `{"id":"${idOf(index)}","at":${begin + index},"data":"${data}"}`;

beforeAll(async () => {
  stage = await openQuietStage();
  queue = stage.keyline().queue<string>("long");
  const base = `${stage.prefix}:{long}:`;
  // Those that die are the first ones, and somebody follows that.
  const dying = Array.from({ length: dead }, (_, index) => elementOf(2 * million + index));
  for (let first = 0; first < dead; first += 500) await stage.valkey.lpush(`${base}waiting`, ...dying.slice(first, first + 500));
  const iteration = queue.events();
  const following = iteration.next();
  await eventually("it is told", async () => (await stage.valkey.hget(`${base}feed:state`, "ready")) === "1");
  const worker = queue.work(() => Promise.reject(new Discard("no")), { concurrency: 50 });
  await eventually("all are dead", async () => (await queue.counts()).dead === dead);
  await worker.stop();
  await following;
  await iteration.return?.();
  for (let first = 0; first < million; first += 5_000) {
    await stage.valkey.lpush(`${base}waiting`, ...Array.from({ length: 5_000 }, (_, index) => elementOf(first + index)));
  }
  for (let first = 0; first < scheduled; first += 5_000) {
    const members = Array.from({ length: 5_000 }, (_, index) => [4e12 + first + index, elementOf(million + first + index)]).flat();
    await stage.valkey.zadd(`${base}scheduled`, ...members);
  }
  for (const group of groups) await queue.addMany(Array.from({ length: inGroup }, () => ({ data, group })));
}, 240_000);
afterAll(() => stage.close());

async function lengthOf(iteration: AsyncIterable<unknown>, most = Infinity): Promise<number> {
  let length = 0;
  for await (const one of iteration) if (one !== undefined && ++length >= most) break;
  return length;
}

const reads: Readonly<Record<string, () => Promise<void>>> = {
  counts: async () => {
    const waiting = million + groups.length;
    expect(await queue.counts()).toMatchObject({ waiting, scheduled, blocked: groups.length * (inGroup - 1), dead });
  },
  rates: async () => {
    expect((await queue.rates({ minutes: 2_880 })).minutes.length).toBe(2_880);
    expect((await queue.rates({ hours: 2_160 })).hours.length).toBe(2_160);
  },
  events: async () => expect(await lengthOf(queue.events({ since: "earliest" }), dead)).toBe(dead),
  groups: async () => expect(await lengthOf(queue.groups())).toBe(groups.length),
  "a job anywhere": async () => {
    for (const index of [999_999, 400_000, 400_001, 2, 999_998, million + 50_000]) {
      expect(await queue.job(idOf(index))).toMatchObject({ id: idOf(index), addedAt: begin + index });
    }
  },
  "a job that is dead": async () => expect(await queue.job(idOf(2 * million))).toMatchObject({ state: "dead" }),
  "a job that there is not": async () => {
    for (const unknown of [idOf(3_000_001), "job-none"]) {
      expect(await queue.job(unknown)).toBeUndefined();
      await expect(queue.waitFor(unknown)).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    }
  },
  "many jobs": async () => expect(await lengthOf(queue.jobs({ limit: 150_000 }))).toBe(150_000),
  "jobs of a group that are blocked": async () => expect(await lengthOf(queue.jobs({ state: "blocked", group: "g3" }))).toBe(inGroup - 1),
  "jobs of a group that wait": async () => expect(await lengthOf(queue.jobs({ state: "waiting", group: "g3" }))).toBe(1),
  "jobs that are scheduled": async () => expect(await lengthOf(queue.jobs({ state: "scheduled", limit: 20_000 }))).toBe(20_000),
  "jobs that are dead": async () => expect(await lengthOf(queue.jobs({ state: "dead" }))).toBe(dead),
  deadLetters: async () => expect(await lengthOf(queue.deadLetters())).toBe(dead),
  deadLetterCauses: async () => expect(await queue.deadLetterCauses()).toMatchObject({ total: dead }),
};

test.each(Object.entries(reads))(
  "no command of this keeps Valkey for longer than a millisecond on a queue of a million jobs: %s",
  async (_, work) => {
    expect((await slowEachTime(stage.valkey, thresholdUs, { work })).slow).toEqual([]);
  },
  240_000,
);

test("a job whose id rises with the time of adding is found with a few looks, whoever has made it", async () => {
  for (const index of [3_001, 400_002, 999_996, 400_001]) {
    const work = async (): Promise<void> => expect(await queue.job(idOf(index))).toMatchObject({ id: idOf(index), state: "waiting" });
    const { calls, slow } = await slowEachTime(stage.valkey, thresholdUs, { work });
    expect(calls, idOf(index)).toBeLessThan(100);
    expect(slow).toEqual([]);
  }
});

interface Act {
  work(round: number): Promise<void>;
  readonly nameOf?: NameOf;
}

/** Where a page was looked at, whatever was looked for: of the others only which script it is. */
const byPage: NameOf = (words) => {
  const [command = "", script = "", , , place = "", from = ""] = words;
  if (!command.toLowerCase().startsWith("eval")) return words.join(" ");
  return /^(?:lines?|scheduled|waiting)/.test(place) ? [command, script, place, from].join(" ") : `${command} ${script}`;
};
/** Apart by so many pages of a walk. */
const apart = 12_000;
const firstOfRange = (round: number): number => 700_000 - apart * round;
/** Pages in which something is found are as far from each other as what is looked for. */
const byPageOfRange: NameOf = (words, round) => {
  const from = Number(words[5]) - (million - firstOfRange(round));
  return words[4] === "waiting" && Math.abs(from) < apart / 2 ? `${words[0]} ${words[1]} found ${from}` : byPage(words, round);
};

const acts: Readonly<Record<string, Act>> = {
  "update of a job": {
    work: async (round) =>
      expect(await queue.update(idOf(700_001 + 3 * round), { data: "y" })).toEqual({ updated: true, state: "waiting" }),
    nameOf: byPage,
  },
  "promote of a job": {
    work: async (round) => expect(await queue.promote(idOf(million + 50_000 + 3 * round))).toBe(true),
    nameOf: byPage,
  },
  "cancel of a job that waits": {
    work: async (round) => expect(await queue.cancel(idOf(500_001 + 3 * round))).toBe("waiting"),
    nameOf: byPage,
  },
  "cancel of a job whose id tells nothing": {
    work: async (round) => expect(await queue.cancel(idOf(300_000 + 3 * round))).toBe("waiting"),
    nameOf: byPage,
  },
  "cancel of a job that is scheduled": {
    work: async (round) => expect(await queue.cancel(idOf(million + 70_000 + 3 * round))).toBe("scheduled"),
    nameOf: byPage,
  },
  "cancel of many ids": {
    work: async (round) => {
      const ids = Array.from({ length: 1_000 }, (_, index) => idOf(990_000 - 1_000 * round + index));
      expect(await queue.cancel({ ids })).toBe(1_000);
    },
    nameOf: byPage,
  },
  "cancel of a group": {
    work: async (round) => expect(await queue.cancel({ group: groups[round] ?? "" })).toBe(inGroup),
    nameOf: (words, round) => byPage(words, round).replace(/:g\d/, ":g"),
  },
  "cancel by time": {
    work: async (round) => {
      const after = begin + firstOfRange(round) - 300;
      expect(await queue.cancel({ after, before: after + 300 })).toBe(300);
    },
    nameOf: byPageOfRange,
  },
  "redrive of dead letters": {
    work: async (round) => {
      const ids = Array.from({ length: 200 }, (_, index) => idOf(2 * million + 200 * round + index));
      expect(await queue.redrive({ ids })).toBe(200);
    },
    nameOf: byPage,
  },
  "discard of dead letters": {
    work: async (round) => {
      const ids = Array.from({ length: 200 }, (_, index) => idOf(2 * million + 1_500 + 200 * round + index));
      expect(await queue.discard({ ids })).toBe(200);
    },
    nameOf: byPage,
  },
};

test.each(Object.entries(acts))(
  "no command of this keeps Valkey for longer than a millisecond on a queue of a million jobs: %s",
  async (_, act) => {
    expect((await slowEachTime(stage.valkey, thresholdUs, act)).slow).toEqual([]);
  },
  240_000,
);
