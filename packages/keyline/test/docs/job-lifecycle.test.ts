import { readFileSync } from "node:fs";
import { Discard, type Keyline, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

type State = "blocked" | "parked" | "waiting" | "running" | "scheduled" | "completed" | "dead" | "cancelled";

const text = readFileSync(new URL("../../../../docs/job-lifecycle.md", import.meta.url), "utf8");
const table = [...text.matchAll(/^\| `([(a-z)]+)` *\| `([(a-z)]+)` *\|/gm)].map((match) => `${match[1]} -> ${match[2]}`);
const diagram = [...text.matchAll(/^ {2}(\S+) --> (\S+):/gm)].map((match) => `${match[1]} -> ${match[2]}`.replace("[*]", "(none)"));

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

/** One queue with one job, of either kind, and where that job is. */
class Course {
  readonly queue: Queue<string> | Queue<string, string, true>;
  readonly #isTransactional: boolean;

  constructor(name: string, isTransactional: boolean, backoffMs = 60_000) {
    this.#isTransactional = isTransactional;
    const rules = { backoff: { type: "fixed", delay: backoffMs, jitter: 0 }, lease: 1_000 } as const;
    this.queue = isTransactional ? keyline.queue<string>(name, { ...rules, transactional: true }) : keyline.queue<string>(name, rules);
  }

  /** Resolves when the queue is known to both stores: what is added before that may be delivered twice. */
  async ready(): Promise<void> {
    if (!this.#isTransactional) return;
    const text = "SELECT FROM keyline.queue WHERE name = $1 AND rebuilt_epoch = epoch";
    await eventually(`${this.queue.name} is known`, async () => (await stage.pool.query(text, [this.queue.name])).rows.length === 1);
  }

  async reach(state: State, row: string | undefined, attempts?: number): Promise<void> {
    await eventually(`${this.queue.name} is ${state}`, async () => (await this.#stateOnValkey()) === state);
    if (!this.#isTransactional) return;
    await eventually(`the row of ${this.queue.name} is ${row}`, async () => (await this.row())?.state === row);
    // After a rescue Valkey has the count first.
    if (attempts !== undefined) await eventually(`attempts are ${attempts}`, async () => (await this.row())?.attempts === attempts);
  }

  async row(): Promise<{ readonly state: string; readonly attempts: number; readonly parked: string | null } | undefined> {
    const { rows } = await stage.pool.query<{ state: string; attempts: number; parked: string | null }>(
      "SELECT state, attempts, parked FROM keyline.job WHERE queue = $1",
      [this.queue.name],
    );
    return rows[0];
  }

  /** With one child, on the queue that it returns. */
  async addParent(): Promise<EitherQueue<string>> {
    const child = openEither<string>(keyline, `${this.queue.name}-below`, { transactional: this.#isTransactional });
    await (this.queue as Queue<string, string, true>).add("job", { children: [{ queue: child, data: "child" }] });
    return child;
  }

  async cancel(): Promise<void> {
    await stage.pool.query("UPDATE keyline.job SET state = 'cancelled' WHERE queue = $1", [this.queue.name]);
  }

  async #stateOnValkey(): Promise<State> {
    const { waiting, running, scheduled, blocked, parked, dead } = await this.queue.counts();
    const found = Object.entries({ waiting, running, scheduled, blocked, parked, dead }).flatMap(([state, count]) =>
      count === 1 ? [state as State] : [],
    );
    return found[0] ?? "completed";
  }
}

/** How to bring about each transition; the course says where the job is after it. */
const drives: Record<string, (course: Course) => Promise<void>> = {
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
  "waiting -> blocked": async (course) => {
    await course.queue.add("job", { group: "g" });
    await course.reach("waiting", "waiting", 0);
    await course.queue.pause({ group: "g" });
    const worker = course.queue.work(() => undefined);
    await course.reach("blocked", "waiting", 0);
    await worker.stop();
  },
  "waiting -> scheduled": async (course) => {
    const { id } = await course.queue.add("job");
    await course.reach("waiting", "waiting", 0);
    await course.queue.update(id, { delay: 60_000 });
    await course.reach("scheduled", "scheduled", 0);
  },
  "waiting -> running": async (course) => {
    const release = gate();
    const worker = course.queue.work(() => release.opened);
    await course.queue.add("job");
    await course.reach("running", "waiting", 0);
    release.open();
    await worker.stop();
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
  "scheduled -> waiting": async (course) => {
    const failing = course.queue.work(() => Promise.reject(new Error("not yet")));
    const retried = gate();
    failing.on("retried", () => retried.open());
    await course.queue.add("job");
    await retried.opened;
    await failing.stop();
    // A worker promotes what is due; one that is full leaves it waiting.
    const release = gate();
    const full = course.queue.work(() => release.opened);
    await course.queue.add("another, which occupies the worker");
    await eventually("it is due", async () => {
      const { waiting, running, scheduled } = await course.queue.counts();
      return waiting === 1 && running === 1 && scheduled === 0;
    });
    release.open();
    await full.stop();
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
  "dead -> waiting": async (course) => {
    const worker = course.queue.work(() => Promise.reject(new Discard("no")));
    await course.queue.add("job");
    await course.reach("dead", "dead", 1);
    await worker.stop();
    expect(await course.queue.redrive({ all: true })).toBe(1);
    await course.reach("waiting", "waiting", 0);
  },
  "dead -> (none)": async (course) => {
    const worker = course.queue.work(() => Promise.reject(new Discard("no")));
    await course.queue.add("job");
    await course.reach("dead", "dead", 1);
    await worker.stop();
    expect(await course.queue.discard({ all: true })).toBe(1);
    await course.reach("completed", undefined);
  },
  "waiting -> cancelled": async (course) => {
    await course.queue.add("job");
    await course.cancel();
    await expectRespected(course);
  },
  "scheduled -> cancelled": async (course) => {
    const worker = course.queue.work(() => Promise.reject(new Error("not yet")));
    await course.queue.add("job");
    await course.reach("scheduled", "scheduled", 1);
    await worker.stop();
    await course.cancel();
    expect((await course.row())?.state).toBe("cancelled");
  },
  "running -> cancelled": async (course) => {
    const started = gate();
    const release = gate();
    const worker = course.queue.work(async () => {
      started.open();
      await release.opened;
      throw new Error("would be tried again");
    });
    await course.queue.add("job");
    await started.opened;
    await course.cancel();
    release.open();
    await eventually("it is nowhere on Valkey", async () => (await course.queue.counts()).running === 0);
    expect(await course.queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, dead: 0 });
    await worker.stop();
    expect((await course.row())?.state).toBe("cancelled");
  },
  "(none) -> parked": async (course) => {
    await course.addParent();
    await course.reach("parked", "scheduled", 0);
  },
  "parked -> dead": async (course) => {
    const child = await course.addParent();
    await course.reach("parked", "scheduled", 0);
    const worker = child.work(() => {
      throw new Discard("no");
    });
    const above = course.queue.work(() => undefined);
    await course.reach("dead", "dead");
    await Promise.all([worker.stop(), above.stop()]);
  },
  "running -> parked": async (course) => {
    const worker = (course.queue as Queue<string, string, true>).work((job) => job.sleep("nap", 60_000));
    await course.queue.add("job");
    await course.reach("parked", "scheduled", 0);
    await worker.stop();
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
};

/** Jobs of plain queues neither sleep nor hear signals: they park until their children have ended. */
const plainDrives: typeof drives = {
  "running -> parked": async (course) => void (await parkForChild(course)),
  "parked -> waiting": async (course) => {
    const child = await parkForChild(course);
    const worker = child.work(() => undefined);
    await course.reach("waiting", undefined);
    await worker.stop();
  },
};

async function parkForChild(course: Course): Promise<Queue<string>> {
  const child = keyline.queue<string>(`${course.queue.name}-below`);
  const worker = (course.queue as Queue<string>).work(async (job) => {
    await job.addChildren([{ queue: child, data: "child" }], { name: "below" });
    await job.childrenEnded();
  });
  await course.queue.add("job");
  await course.reach("parked", undefined);
  await worker.stop();
  return child;
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
  const base = `${stage.prefix}:{${course.queue.name}}`;
  await stage.valkey.lmove(`${base}:waiting`, `${base}:held:ghost`, "RIGHT", "RIGHT");
  await stage.valkey.zadd(`${base}:workers`, 1, "ghost");
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

/** A handler may run for what was on Valkey before; it settles nothing, and the row stays. */
async function expectRespected(course: Course): Promise<void> {
  const queue = course.queue as Queue<string, string, true>;
  const settled = Promise.withResolvers<boolean>();
  const worker = queue.work(async (_, { settle }) => settled.resolve(await settle(async () => undefined)));
  worker.on("error", () => undefined);
  expect(await settled.promise).toBe(false);
  await eventually("it is nowhere on Valkey", async () => (await queue.counts()).running === 0);
  await worker.stop();
  expect((await course.row())?.state).toBe("cancelled");
}

test("the diagram and the table list the same transitions, and each has its proof", () => {
  expect(table.length).toBeGreaterThan(8);
  expect(diagram.toSorted()).toEqual(table.toSorted());
  expect(Object.keys(drives).toSorted()).toEqual(table.toSorted());
});

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("on a %s queue", (kind, isTransactional) => {
  const applicable = table.filter((transition) => isTransactional || !transition.includes("cancelled"));
  test.each(applicable)("%s", async (transition) => {
    const name = `${kind}-${transition.replaceAll(/[^a-z]+/g, "-")}`;
    const course = new Course(name, isTransactional, transition === "scheduled -> waiting" ? 300 : 60_000);
    await course.ready();
    await ((!isTransactional && plainDrives[transition]) || drives[transition])?.(course);
  });
});
