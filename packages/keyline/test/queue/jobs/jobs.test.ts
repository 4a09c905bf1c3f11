import type { JobsOptions, Queue, QueuedJob } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("jobs (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string, backoffMs = 60_000): Queue<number> =>
    stage.keyline().queue<number>(`${name}-${transactional}`, { transactional, backoff: () => backoffMs } as { transactional: false });

  async function list(queue: Queue<number>, options?: JobsOptions): Promise<QueuedJob<number>[]> {
    const found: QueuedJob<number>[] = [];
    for await (const job of queue.jobs(options)) found.push(job);
    return found;
  }

  test("are seen wherever they are, with all that is known of them", async () => {
    const queue = open("seen");
    const begun = gate();
    const release = gate();
    const worker = queue.work(
      async ({ data }) => {
        if (data === 1) throw new Error("not yet");
        if (data === 2) throw Object.assign(new Error("no"), { name: "Fatal" });
        begun.open();
        await release.opened;
      },
      { concurrency: 3 },
    );
    const { id: retried } = await queue.add(1);
    const { id: dead } = await queue.add(2, { maxAttempts: 1 });
    await eventually("one is dead, and one waits for its next attempt", async () => {
      const counts = await queue.counts();
      return counts.dead === 1 && counts.scheduled === 1;
    });
    const { id: running } = await queue.add(3, { group: "g" });
    await begun.opened;
    const { id: blocked } = await queue.add(4, { group: "g", priority: "high" });
    const { id: scheduled } = await queue.add(5, { delay: 60_000 });
    await queue.pause();
    const { id: waiting } = await queue.add(6, { priority: "low" });
    await eventually("all are there", async () => {
      const counts = await queue.counts();
      return counts.waiting === 1 && counts.blocked === 1 && counts.scheduled === 2;
    });

    const common = { history: [], error: undefined, dueAt: undefined, group: undefined, priority: "normal", attempts: 0, cursor: "" };
    expect(await queue.job(waiting)).toEqual({
      ...common,
      id: waiting,
      state: "waiting",
      data: 6,
      priority: "low",
      addedAt: expect.any(Number),
    });
    expect(await queue.job(scheduled)).toMatchObject({ state: "scheduled", data: 5, dueAt: expect.any(Number) });
    expect(((await queue.job(scheduled))?.dueAt ?? 0) - Date.now()).toBeGreaterThan(30_000);
    expect(await queue.job(running)).toMatchObject({ state: "running", data: 3, group: "g" });
    expect(await queue.job(blocked)).toMatchObject({ state: "blocked", data: 4, group: "g", priority: "high" });
    expect(await queue.job(retried)).toMatchObject({ state: "scheduled", attempts: 1, error: "Error: not yet" });
    expect((await queue.job(retried))?.history).toHaveLength(1);
    expect(await queue.job(dead)).toMatchObject({ state: "dead", data: 2, error: "Fatal: no", attempts: 1 });
    expect(await queue.job("never")).toBeUndefined();

    const byState = new Map((await list(queue)).map((job) => [job.id, job.state]));
    expect(Object.fromEntries(byState)).toEqual({
      [waiting]: "waiting",
      [scheduled]: "scheduled",
      [running]: "running",
      [blocked]: "blocked",
      [retried]: "scheduled",
      [dead]: "dead",
    });
    for (const state of ["waiting", "scheduled", "blocked", "running", "dead"] as const) {
      const ids = (await list(queue, { state })).map(({ id }) => id);
      expect(ids.toSorted()).toEqual([...byState].flatMap(([id, one]) => (one === state ? [id] : [])).toSorted());
    }
    expect((await list(queue, { group: "g" })).map(({ id }) => id).toSorted()).toEqual([running, blocked].toSorted());

    await queue.cancel(waiting);
    expect(await queue.job(waiting)).toMatchObject({ state: "cancelled", data: undefined });
    release.open();
    await worker.stop();
  });

  test("that have ended are known as long as their results are kept", async () => {
    const queue = open("ended");
    const worker = queue.work(({ data }) => data * 2);
    const { id } = await queue.add(4, { keepResult: 60_000 });
    expect(await queue.waitFor(id)).toBe(8);
    expect(await queue.job(id)).toMatchObject({ id, state: "completed", data: undefined });
    await worker.stop();
  });

  test("are read in pages, and from a cursor on, until there are no more", async () => {
    const queue = open("paged");
    await queue.addMany([
      ...Array.from({ length: 700 }, (_, data) => ({ data })),
      ...Array.from({ length: 40 }, (_, data) => ({ data: 1_000 + data, delay: 60_000 })),
      ...Array.from({ length: 60 }, (_, data) => ({ data: 2_000 + data, group: `g${data % 7}` })),
    ]);
    await eventually("all are there", async () => {
      const { waiting, scheduled, blocked } = await queue.counts();
      return waiting === 707 && scheduled === 40 && blocked === 53;
    });
    const all = (await list(queue)).map(({ data }) => data);
    expect(all).toHaveLength(800);
    expect(new Set(all).size).toBe(800);
    const parts: (number | undefined)[] = [];
    for (let cursor: string | undefined; ;) {
      const part = await list(queue, { limit: 90, ...(cursor === undefined ? {} : { cursor }) });
      expect(part.length).toBeLessThanOrEqual(90);
      if (part.length === 0) break;
      parts.push(...part.map(({ data }) => data));
      cursor = part.at(-1)?.cursor;
    }
    expect(new Set(parts)).toEqual(new Set(all));
    expect(parts).toHaveLength(800);
    const jobs = queue.jobs();
    expect(await jobs.next()).toMatchObject({ done: false });
    expect(await jobs.return?.()).toMatchObject({ done: true });
    expect(await jobs.next()).toMatchObject({ done: true });
  });

  test.each([
    [{ state: "gone" }, "INVALID_OPTION"],
    [{ limit: 0 }, "INVALID_OPTION"],
    [{ group: "" }, "INVALID_OPTION"],
    [{ cursor: "nonsense" }, "INVALID_CURSOR"],
    [{ page: 1 }, "INVALID_OPTION"],
    [null, "INVALID_OPTION"],
  ])("refuse %j", async (options, code) => {
    expect(() => open("refused").jobs(options as never)).toThrow(expect.objectContaining({ code }));
    await expect(open("refused").job("a b")).rejects.toMatchObject({ code: "INVALID_ID" });
  });
});
