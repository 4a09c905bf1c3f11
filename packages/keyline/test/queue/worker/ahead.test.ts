import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openCrew, quick, workBeside, type Kind } from "../../support/ahead-crew.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through } from "../../support/wire-proxy.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());
afterEach(() => expect(stage.log.filter(({ level }) => level === "error")).toEqual([]));

async function scripts(): Promise<number> {
  const found = /cmdstat_evalsha:calls=(\d+)/.exec(await stage.valkey.info("commandstats"));
  return Number(found?.[1] ?? 0);
}

test("a worker whose handlers are quick does not ask the server for each job", async () => {
  const { queue, worker, begun, add } = await openCrew(stage, "few-rounds");
  await queue.pause();
  await add(...quick(1_000));
  const before = await scripts();
  await queue.resume();
  await eventually("all have run", () => begun.length === 1_000);
  await eventually("all have ended", async () => (await queue.counts()).running === 0);
  // How far ahead it takes follows from how quick the handlers seem, which is less on a busy machine.
  expect((await scripts()) - before).toBeLessThan(800);
  expect(begun).toEqual(Array.from({ length: 1_000 }, (_, index) => 600 + index));
  await worker.stop();
});

/** When the server was told what, by its own clock. */
interface Heard {
  readonly atMs: number;
  readonly text: string;
}

/** What it is told from now on of one queue by scripts that are sent by their text: what adds jobs with ids, and what gives jobs back. */
async function overhear(name: string): Promise<{ readonly heard: () => Promise<readonly Heard[]>; readonly end: () => void }> {
  const monitor = await stage.valkey.monitor();
  const all: Heard[] = [];
  const heardAll = gate();
  monitor.on("monitor", (seconds: string, [command = "", ...values]: string[]) => {
    const text = values.join(" ");
    if (command.toLowerCase() === "ping" && text === name) heardAll.open();
    if (command.toLowerCase() === "eval" && text.includes(`{${name}}`)) all.push({ atMs: 1_000 * Number(seconds), text });
  });
  return {
    heard: async () => {
      await stage.valkey.ping(name);
      await heardAll.opened;
      return all;
    },
    end: () => monitor.disconnect(),
  };
}

/** A round in which a job turns out slow. Returns milliseconds from when it was added until what was ahead of it went back; Infinity where nothing was taken ahead. */
async function giveBackRound(name: string): Promise<number> {
  const { queue, worker, begun, slow, add } = await openCrew(stage, name);
  const server = await overhear(name);
  // A worker that is woken by one job has taken none ahead: quick ones come first.
  await add(...quick(5), "slow", ...quick(20));
  await eventually("it is at the slow one", () => begun.length === 6);
  await eventually("it keeps none of the others", async () => (await queue.counts()).running === 1);
  expect((await queue.counts()).waiting).toBe(20);
  const heard = await server.heard();
  server.end();
  const other = workBeside(stage, name);
  await eventually("another worker has run them", () => other.ran.length === 20);
  expect(other.ran).toEqual(Array.from({ length: 20 }, (_, index) => `${name}-${606 + index}`));
  expect(begun).toEqual([600, 601, 602, 603, 604, 605]);
  slow.open();
  await eventually("nothing is left", async () => {
    const { waiting, running } = await queue.counts();
    return waiting + running === 0;
  });
  await Promise.all([worker.stop(), other.worker.stop()]);
  const isGiveBack = ({ text }: Heard): boolean => text.includes("have not begun back");
  const added = heard.find((one) => !isGiveBack(one) && one.text.includes(`${name}-605`));
  const givenBack = heard.find(isGiveBack);
  return added && givenBack ? givenBack.atMs - added.atMs : Infinity;
}

test("what was taken ahead of a job that turns out slow goes back to others within 50 ms, in order", async () => {
  // The quickest of some rounds, as a busy machine may stop a process for longer at any time.
  let quickest = Infinity;
  for (let round = 0; round < 20 && quickest > 50; round++) quickest = Math.min(quickest, await giveBackRound(`give-back-${round}`));
  expect(quickest).toBeLessThanOrEqual(50);
}, 120_000);

test("a worker that stops gives back at once what it had taken ahead, while it finishes what runs", async () => {
  const { queue, worker, begun, slow, add } = await openCrew(stage, "stop");
  await add("quick", "slow", ...quick(20));
  await eventually("it is at the slow one", () => begun.length === 2);
  const stopped = worker.stop();
  await eventually("it keeps none of the others", async () => (await queue.counts()).waiting === 20);
  expect((await queue.counts()).running).toBe(1);
  slow.open();
  await stopped;
  expect(begun).toEqual([600, 601]);
  expect(await queue.counts()).toMatchObject({ waiting: 20, running: 0 });
});

test("what was taken ahead does not begin once the queue is paused", async () => {
  const { queue, worker, begun, add } = await openCrew(stage, "pause");
  let more = true;
  const adding = (async () => {
    while (more) await add(...quick(50));
  })();
  await eventually("it is at work", () => begun.length > 200);
  await queue.pause();
  const then = begun.length;
  more = false;
  await adding;
  for (let look = 0; look < 20; look++) expect((await queue.counts()).running).toBe(0);
  expect(begun.length).toBe(then);
  await queue.resume();
  await eventually("all have run", () => begun.length > then);
  await eventually("nothing is left", async () => {
    const { waiting, running } = await queue.counts();
    return waiting + running === 0;
  });
  expect(begun).toEqual(begun.toSorted((one, other) => one - other));
  await worker.stop();
});

test("a worker whose handlers are slow, or not known, takes none ahead", async () => {
  const queue = stage.keyline().queue<number>("unknown");
  const slow = gate();
  const worker = queue.work(() => slow.opened, { concurrency: 2 });
  await queue.addMany(Array.from({ length: 10 }, (_, data) => ({ data })));
  await eventually("two run", async () => (await queue.counts()).running === 2);
  for (let look = 0; look < 10; look++) expect(await queue.counts()).toMatchObject({ waiting: 8, running: 2 });
  slow.open();
  await eventually("nothing is left", async () => (await queue.counts()).waiting === 0);
  await worker.stop();
});

test("what a rate has let through begins, also while there are new gates to look at", async () => {
  const queue = stage.keyline().queue<number>("let-through");
  await queue.setLimits({ rate: { max: 5, per: 3_600_000 } });
  const begun: number[] = [];
  const worker = queue.work(({ data }) => void begun.push(data), { concurrency: 5 });
  let isOver = false;
  const changing = (async () => {
    for (let round = 0; !isOver; round++) await queue.setLimits({ concurrency: 100 + (round % 2) });
  })();
  await queue.addMany(Array.from({ length: 10 }, (_, data) => ({ data })));
  await eventually("as many as may have begun", () => begun.length === 5);
  isOver = true;
  await changing;
  await worker.stop();
});

/** The connections on which workers wait for jobs. */
async function waiting(): Promise<string[]> {
  const clients = (await stage.valkey.client("LIST")) as string;
  return clients.split("\n").flatMap((line) => (line.includes("cmd=blmove") ? (/^id=(\d+)/.exec(line)?.[1] ?? []) : []));
}

test("nothing goes back while a worker reads what it holds, as it does after a reconnect", async () => {
  const wire = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
  const keyline = stage.keyline({ valkey: through(stage.valkeyUrl, wire) });
  const queue = stage.keyline().queue<Kind>("read");
  const ran: string[] = [];
  const others = new Set(await waiting());
  let atWork = gate();
  const worker = keyline.queue<Kind>("read").work(
    async ({ id }) => {
      if (ran.push(id) === 100) atWork.open();
      await setImmediate();
    },
    { concurrency: 1 },
  );
  const ownOnes = async (): Promise<string[]> => (await waiting()).filter((id) => !others.has(id));
  try {
    for (let round = 0; round < 8; round++) {
      let blocking = "";
      await eventually("it waits", async () => (blocking = (await ownOnes())[0] ?? "") !== "");
      ran.length = 0;
      atWork = gate();
      // So long that what is ahead would go back while the list is on its way.
      wire.delay(4);
      await queue.addMany(quick(400).map((data) => ({ data })));
      await atWork.opened;
      await stage.valkey.client("KILL", "ID", blocking);
      await eventually("nothing is left", async () => {
        const counts = await queue.counts();
        return counts.waiting + counts.running === 0;
      });
      wire.passAll();
      expect(new Set(ran).size).toBe(400);
      expect(ran).toHaveLength(400);
    }
  } finally {
    await worker.stop();
    await keyline.close();
    await wire.stop();
  }
});
