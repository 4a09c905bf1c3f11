import { Discard, type Keyline, type Queue, type QueueEvent } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

/** Those who follow are told of what comes from then on. */
async function follow(queue: EitherQueue<string>): Promise<{ readonly told: QueueEvent[]; stop(): Promise<void> }> {
  const told: QueueEvent[] = [];
  const following = new AbortController();
  const events = queue.events({ signal: following.signal });
  const heard = (async () => {
    for await (const event of events) told.push(event);
  })();
  await eventually("somebody is known to follow", async () => (await stage.valkey.exists(`${stage.prefix}:{${queue.name}}:tracked`)) === 1);
  return {
    told,
    async stop() {
      following.abort();
      await heard;
    },
  };
}

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("a %s parent that its child's death kills", (kind, transactional) => {
  const rules = { transactional, maxAttempts: 3, backoff: { type: "fixed", delay: 1, jitter: 0 } } as const;

  test.each(["ends in a process that has both queues", "ends in a process that has not its queue"])(
    "is told to all who ask, and counted once, where the child %s",
    async (where) => {
      const hasBoth = where.endsWith("both queues");
      const [names, mine, theirs] = [
        { parents: `${kind}-parents-${hasBoth}`, children: `${kind}-children-${hasBoth}` },
        stage.keyline(),
        stage.keyline(),
      ];
      const parents = openEither<string>(mine, names.parents, rules);
      const children = openEither<string>(mine, names.children, rules);
      const feed = await follow(parents);
      const { id } = await parents.add("p", { children: ["well", "dies"].map((data) => ({ queue: children, data })) });
      const waited = parents.waitFor(id).then(
        () => undefined,
        (error: unknown) => error,
      );
      const ran: string[] = [];
      // On a plain queue a worker of the parent's buries it.
      const worker = parents.work((job) => void ran.push(job.data));
      // Who waits was looked for when this one has ended, which was looked for behind it.
      await parents.waitFor((await parents.add("other", { keepResult: 60_000 })).id);
      const working = hasBoth ? children : openEither<string>(theirs, names.children, rules);
      const childWorker = working.work((job) => {
        if (job.data === "dies") throw new Discard("too bad");
      });
      const error = await waited;
      expect(error).toMatchObject({ code: "JOB_DEAD" });
      const letters = [];
      for await (const letter of parents.deadLetters()) letters.push(letter);
      expect(letters).toHaveLength(1);
      expect(letters[0]).toMatchObject({ id, data: "p", stack: undefined });
      expect(letters[0]?.reason).toMatch(/^(Discard: )?Its child \S+ of queue \S+ is dead: Discard: too bad$/);
      expect(letters[0]?.history).toMatchObject([{ error: letters[0]?.reason }]);
      expect(Math.abs((letters[0]?.history[0]?.at ?? 0) - (letters[0]?.at ?? 0))).toBeLessThan(5_000);
      const { causes } = await parents.deadLetterCauses();
      expect(causes).toHaveLength(1);
      expect(await parents.job(id)).toMatchObject({ state: "dead", error: letters[0]?.reason, history: letters[0]?.history });
      await eventually("it is told", () => feed.told.some(({ type }) => type === "dead"));
      expect(feed.told.filter(({ type }) => type === "dead")).toMatchObject([{ id, error: letters[0]?.reason }]);
      await eventually("it rests nowhere", async () => (await parents.counts()).scheduled === 0);
      expect(await parents.counts()).toMatchObject({ waiting: 0, running: 0, parked: 0, dead: 1 });
      await Promise.all([feed.stop(), worker.stop(), childWorker.stop()]);
      await Promise.all([mine.close(), theirs.close()]);
      expect(ran).toEqual(["other"]);
      const { total } = await openEither<string>(keyline, names.parents, rules).rates();
      expect(total).toMatchObject({ added: 2, completed: 1, dead: 1 });
    },
  );

  test("is a letter with the same cause where it had run, and waited for children of its own", async () => {
    const open = (name: string): Queue<string, string, true> => keyline.queue<string>(`${kind}-${name}`, rules as { transactional: true });
    const [parents, children] = [open("running"), open("added")];
    const below = ["well", "dies"].map((data) => ({ queue: children, data }));
    const worker = parents.work(async (job, { step }) => {
      if (transactional) await step("split", (tx) => job.addChildren(below, { tx }));
      else await job.addChildren(below, { name: "split" });
      // Its children have ended when it asks for them, or end while it is parked.
      if (job.data === "asks late") await eventually("one is dead", async () => (await children.counts()).dead > 0);
      await job.childrenEnded();
    });
    const childWorker = children.work((job) => {
      if (job.data === "dies") throw new Discard("too bad");
    });
    const added = await parents.addMany(["asks early", "asks late"].map((data) => ({ data })));
    for (const { id } of added) await expect(parents.waitFor(id)).rejects.toMatchObject({ code: "JOB_DEAD" });
    for await (const { reason, history } of parents.deadLetters()) {
      expect(reason).toMatch(/^(Discard: )?Its child \S+ of queue \S+ is dead: Discard: too bad$/);
      expect(history.at(-1)?.error).toBe(reason);
    }
    expect(await parents.deadLetterCauses()).toMatchObject({ total: 2 });
    await Promise.all([worker.stop(), childWorker.stop()]);
  });
});
