import { Discard, type Queue } from "keyline";
import { expect } from "vitest";
import type { EitherQueue } from "../../support/either-queue.ts";
import { eventually, gate } from "../../support/stage.ts";
import type { Course } from "./course.ts";

/** How to bring about a transition; the course says where the job is after it. */
type Drive = (course: Course) => Promise<void>;

export const drives: Record<string, Drive> = {
  "(none) -> waiting": async (course) => {
    await course.queue.add("job");
    await course.reach("waiting", "waiting", 0);
  },
  "(none) -> scheduled": async (course) => {
    await course.queue.add("job", { delay: 60_000 });
    await course.reach("scheduled", "scheduled", 0);
  },
  "(none) -> blocked": async (course) => {
    await course.queue.pause({ group: "g" });
    await course.queue.add("job", { group: "g" });
    await course.reach("blocked", "waiting", 0);
  },
  "(none) -> parked": async (course) => {
    await course.addParent();
    await course.reach("parked", "scheduled", 0);
  },
  "blocked -> waiting": async (course) => {
    await course.queue.pause({ group: "g" });
    await course.queue.add("job", { group: "g" });
    await course.reach("blocked", "waiting", 0);
    await course.queue.resume({ group: "g" });
    await course.reach("waiting", "waiting", 0);
  },
  "blocked -> scheduled": async (course) => {
    await course.queue.pause({ group: "g" });
    await course.queue.add("job", { group: "g", delay: 60_000 });
    await course.reach("blocked", "scheduled", 0);
    await course.queue.resume({ group: "g" });
    await course.reach("scheduled", "scheduled", 0);
  },
  "blocked -> cancelled": async (course) => {
    await course.queue.pause({ group: "g" });
    const { id } = await course.queue.add("job", { group: "g" });
    await course.reach("blocked", "waiting", 0);
    await course.cancel(id, "waiting");
  },
  "waiting -> blocked": async (course) => {
    await course.queue.add("job", { group: "g" });
    await course.reach("waiting", "waiting", 0);
    await course.queue.pause({ group: "g" });
    const worker = course.queue.work(() => undefined);
    await course.reach("blocked", "waiting", 0);
    await worker.stop();
  },
  "waiting -> scheduled": async (course) => {
    await lateByUpdate(course);
    await lateByRate(course);
  },
  "waiting -> running": async (course) => {
    const release = gate();
    const worker = course.queue.work(() => release.opened);
    await course.queue.add("job");
    await course.reach("running", "waiting", 0);
    release.open();
    await worker.stop();
  },
  "waiting -> cancelled": async (course) => {
    const { id } = await course.queue.add("job");
    await course.reach("waiting", "waiting", 0);
    await course.cancel(id, "waiting");
  },
  "scheduled -> waiting": async (course) => {
    const { id } = await course.queue.add("job", { delay: 2_000 });
    await course.reach("scheduled", "scheduled", 0);
    await course.queue.add("another, which occupies the worker");
    await eventually("that one waits", async () => (await course.queue.counts()).waiting === 1);
    // A worker promotes what is due; one that is full leaves it waiting.
    const release = gate();
    const full = course.queue.work(() => release.opened);
    await eventually("it is due", async () => {
      const { waiting, running, scheduled } = await course.queue.counts();
      return waiting === 1 && running === 1 && scheduled === 0;
    });
    expect((await course.queue.job(id))?.state).toBe("waiting");
    release.open();
    await full.stop();
  },
  "scheduled -> blocked": async (course) => {
    const { queue } = course;
    // Where several of a group may run at a time, one that is scheduled has left its turn to others.
    await queue.setLimits({ group: { concurrency: 2 } });
    await blockedWhenDue(course);
    await queue.pause({ group: "g" });
    for (const bring of [(id: string) => queue.promote(id), (id: string) => queue.update(id, { delay: 0 })]) {
      const { id } = await queue.add("job", { group: "g", delay: 60_000 });
      await course.reach("scheduled", "scheduled", 0);
      await bring(id);
      await course.reach("blocked", "scheduled", 0);
      await course.cancel(id, "waiting");
    }
  },
  "scheduled -> cancelled": async (course) => {
    const { id } = await course.queue.add("job", { delay: 60_000 });
    await course.reach("scheduled", "scheduled", 0);
    await course.cancel(id, "scheduled");
  },
  "running -> completed": async (course) => {
    const completed = gate();
    const worker = course.queue.work(() => undefined);
    worker.on("completed", () => completed.open());
    await course.queue.add("job");
    await completed.opened;
    await course.reach("completed", undefined);
    await worker.stop();
  },
  "running -> scheduled": async (course) => {
    const worker = course.queue.work(() => Promise.reject(new Error("not yet")));
    await course.queue.add("job");
    await course.reach("scheduled", "scheduled", 1);
    await worker.stop();
  },
  "running -> parked": async (course) => {
    const worker = (course.queue as Queue<string, string, true>).work((job) => job.sleep("nap", 60_000));
    await course.queue.add("job");
    await course.reach("parked", "scheduled", 0);
    await worker.stop();
  },
  "running -> blocked": async (course) => {
    const { queue, stage } = course;
    // Of two transactions the one that has added first commits last.
    const client = await stage.pool.connect();
    await client.query("BEGIN");
    await (queue as Queue<string, string, true>).add("first", { group: "g", tx: client });
    const { id } = await queue.add("second", { group: "g" });
    await course.reach("waiting", "waiting", 0);
    await client.query("COMMIT");
    client.release();
    await eventually("the first one stands behind it", async () => (await queue.counts()).blocked === 1);
    expect((await queue.counts()).waiting).toBe(1);
    const release = gate();
    const ran: string[] = [];
    const worker = queue.work(({ data }) => {
      ran.push(data);
      return release.opened;
    });
    await eventually("the first one runs", async () => ran.length === 1 && (await queue.job(id))?.state === "blocked");
    expect(await queue.counts()).toMatchObject({ waiting: 0, running: 1, blocked: 1 });
    release.open();
    await course.reach("completed", undefined);
    expect(ran).toEqual(["first", "second"]);
    await worker.stop();
  },
  "running -> dead": async (course) => {
    const worker = course.queue.work(() => Promise.reject(new Discard("no")));
    await course.queue.add("job");
    await course.reach("dead", "dead", 1);
    await worker.stop();
  },
  "running -> waiting": async (course) => {
    await backByStop(course);
    await backByEndedLease(course);
  },
  "running -> cancelled": async (course) => {
    const started = gate();
    const worker = course.queue.work(async ({ signal }) => {
      started.open();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      throw new Error("would be tried again");
    });
    const cancelled: string[] = [];
    worker.on("cancelled", (job) => cancelled.push(job.id));
    const { id } = await course.queue.add("job");
    await started.opened;
    await course.reach("running", "waiting", 0);
    await course.cancel(id, "running");
    await worker.stop();
    expect(cancelled).toEqual([id]);
  },
  "parked -> waiting": async (course) => {
    const queue = course.queue as Queue<string, string, true>;
    const worker = queue.work((job) => job.signalled("go"));
    const { id } = await queue.add("job");
    await course.reach("parked", "scheduled", 0);
    await worker.stop();
    await queue.signal(id, "go");
    await course.reach("waiting", "scheduled", 0);
  },
  "parked -> blocked": async (course) => {
    const queue = course.queue as Queue<string, string, true>;
    await queue.setLimits({ group: { concurrency: 2 } });
    const worker = queue.work((job) => job.signalled("go"));
    const { id } = await queue.add("job", { group: "g" });
    await course.reach("parked", "scheduled", 0);
    await worker.stop();
    await queue.pause({ group: "g" });
    await queue.signal(id, "go");
    await course.reach("blocked", "scheduled", 0);
  },
  "parked -> dead": async (course) => {
    const { below } = await course.addParent();
    await course.reach("parked", "scheduled", 0);
    const worker = below.work(() => {
      throw new Discard("no");
    });
    const above = course.queue.work(() => undefined);
    await course.reach("dead", "dead");
    await Promise.all([worker.stop(), above.stop()]);
  },
  "parked -> cancelled": async (course) => {
    const { id, below } = await course.addParent();
    await course.reach("parked", "scheduled", 0);
    await course.cancel(id, "scheduled");
    const worker = course.queue.work(() => undefined);
    await eventually("its child is cancelled with it", async () => (await below.counts()).waiting === 0);
    await worker.stop();
  },
  "dead -> waiting": async (course) => {
    await course.queue.add("job", { maxAttempts: 1 });
    await course.bury();
    expect(await course.queue.redrive({ all: true })).toBe(1);
    await course.reach("waiting", "waiting", 0);
  },
  "dead -> blocked": async (course) => {
    const { queue } = course;
    const { id } = await queue.add("job", { group: "g", maxAttempts: 1 });
    await course.bury();
    await queue.pause({ group: "g" });
    expect(await queue.redrive({ all: true })).toBe(1);
    await course.reach("blocked", "waiting", 0);
    await queue.resume({ group: "g" });
    await course.bury();
    await queue.add("another, which has the turn of its group", { group: "g" });
    await eventually("that one waits", async () => (await queue.counts()).waiting === 1);
    expect(await queue.redrive({ ids: [id] })).toBe(1);
    await eventually("it stands behind that one", async () => (await queue.counts()).blocked === 1);
    expect((await queue.job(id))?.state).toBe("blocked");
  },
  "dead -> (none)": async (course) => {
    await course.queue.add("job", { maxAttempts: 1 });
    await course.bury();
    expect(await course.queue.discard({ all: true })).toBe(1);
    await course.reach("completed", undefined);
  },
};

/** Jobs of plain queues neither sleep nor hear signals: they park until their children have ended. */
export const plainDrives: typeof drives = {
  "running -> parked": async (course) => void (await parkForChild(course)),
  "parked -> waiting": async (course) => {
    const below = await parkForChild(course);
    const worker = below.work(() => undefined);
    await course.reach("waiting", undefined);
    await worker.stop();
  },
};

async function parkForChild(course: Course): Promise<EitherQueue<string>> {
  const below = course.queueBelow();
  const worker = (course.queue as Queue<string>).work(async (job) => {
    await job.addChildren([{ queue: below, data: "child" }], { name: "below" });
    await job.childrenEnded();
  });
  await course.queue.add("job");
  await course.reach("parked", undefined);
  await worker.stop();
  return below;
}

async function lateByUpdate(course: Course): Promise<void> {
  const { id } = await course.queue.add("job");
  await course.reach("waiting", "waiting", 0);
  await course.queue.update(id, { delay: 60_000 });
  await course.reach("scheduled", "scheduled", 0);
  await course.cancel(id, "scheduled");
}

/** Its group has begun as many as may begin, which a worker finds when it comes to it. */
async function lateByRate(course: Course): Promise<void> {
  const { queue } = course;
  await queue.setLimits({ group: { rate: { max: 1, per: 3_600_000 } } });
  const completed = gate();
  const worker = queue.work(() => undefined);
  worker.on("completed", () => completed.open());
  await queue.add("another, which uses the rate up", { group: "g" });
  await completed.opened;
  await queue.add("job", { group: "g" });
  await course.reach("scheduled", "waiting", 0);
  await worker.stop();
}

/** The worker that finds it due runs as many of its group as may run. */
async function blockedWhenDue(course: Course): Promise<void> {
  const { queue } = course;
  const { id } = await queue.add("job", { group: "g", delay: 2_000 });
  await course.reach("scheduled", "scheduled", 0);
  await queue.addMany([1, 2].map((number) => ({ data: `another, ${number}`, group: "g" })));
  await eventually("those wait", async () => (await queue.counts()).waiting === 2);
  const release = gate();
  const worker = queue.work(() => release.opened, { concurrency: 2 });
  await eventually("it is due", async () => (await queue.counts()).scheduled === 0);
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 2, blocked: 1 });
  expect((await queue.job(id))?.state).toBe("blocked");
  release.open();
  await course.reach("completed", undefined);
  await worker.stop();
}

async function backByStop(course: Course): Promise<void> {
  const started = gate();
  const worker = course.queue.work(() => {
    started.open();
    return new Promise(() => undefined);
  });
  await course.queue.add("job");
  await started.opened;
  await worker.stop({ timeout: 10 });
  await course.reach("waiting", "waiting", 0);
}

/** The job is put into the held list of a worker that does not live any more. */
async function backByEndedLease(course: Course): Promise<void> {
  const { valkey, prefix } = course.stage;
  const base = `${prefix}:{${course.queue.name}}`;
  await valkey.lmove(`${base}:waiting`, `${base}:held:ghost`, "RIGHT", "RIGHT");
  await valkey.zadd(`${base}:workers`, 1, "ghost");
  const attempt = Promise.withResolvers<number>();
  const release = gate();
  const worker = course.queue.work(async (job) => {
    attempt.resolve(job.attempt);
    await release.opened;
  });
  expect(await attempt.promise).toBe(2);
  await course.reach("running", "waiting", 1);
  release.open();
  await worker.stop();
}
