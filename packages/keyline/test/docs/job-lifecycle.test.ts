import { readFileSync } from "node:fs";
import type { Keyline, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";
import { Course } from "./lifecycle/course.ts";
import { drives, plainDrives } from "./lifecycle/drives.ts";

const text = readFileSync(new URL("../../../../docs/job-lifecycle.md", import.meta.url), "utf8");
const rows = [...text.matchAll(/^\| `([(a-z)]+)` *\| `([(a-z)]+)` *\| (.*?) *\|/gm)];
const table = rows.map(([, from, to, when = ""]) => ({ transition: `${from} -> ${to}`, when }));
const transitions = table.map(({ transition }) => transition);
const diagram = [...text.matchAll(/^ {2}(\S+) --> (\S+):/gm)].map((match) => `${match[1]} -> ${match[2]}`.replace("[*]", "(none)"));

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

async function openCourse(name: string, isTransactional: boolean): Promise<Course> {
  const course = new Course(stage, keyline, { name: name.replaceAll(/[^a-z]+/g, "-"), isTransactional });
  await course.ready();
  return course;
}

test("the diagram and the table list the same transitions, and each has its proof", () => {
  expect(transitions.length).toBeGreaterThan(8);
  expect(new Set(transitions).size).toBe(transitions.length);
  expect(diagram.toSorted()).toEqual(transitions.toSorted());
  expect(Object.keys(drives).toSorted()).toEqual(transitions.toSorted());
});

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("on a %s queue", (kind, isTransactional) => {
  const made = table.filter(({ when }) => isTransactional || !when.startsWith("on a transactional queue:"));
  test.each(made)("$transition", async ({ transition }) => {
    const course = await openCourse(`${kind}-${transition}`, isTransactional);
    await ((!isTransactional && plainDrives[transition]) || drives[transition])?.(course);
  });
});

describe("a row that SQL has set to cancelled stays so", () => {
  test("of a job that waits: its handler may run, and settles nothing", async () => {
    const course = await openCourse("sql-waiting", true);
    await course.queue.add("job");
    await course.cancelBySql();
    const queue = course.queue as Queue<string, string, true>;
    const settled = Promise.withResolvers<boolean>();
    const worker = queue.work(async (_, { settle }) => settled.resolve(await settle(async () => undefined)));
    worker.on("error", () => undefined);
    expect(await settled.promise).toBe(false);
    await eventually("it is nowhere on Valkey", async () => (await queue.counts()).running === 0);
    await worker.stop();
    expect((await course.row())?.state).toBe("cancelled");
  });

  test("of a job that is scheduled", async () => {
    const course = await openCourse("sql-scheduled", true);
    const { id } = await course.queue.add("job", { delay: 60_000 });
    await course.reach("scheduled", "scheduled", 0);
    await course.cancelBySql();
    expect(await course.queue.promote(id)).toBe(false);
    expect((await course.row())?.state).toBe("cancelled");
  });

  test("of a job that runs: it is not tried again", async () => {
    const course = await openCourse("sql-running", true);
    const started = gate();
    const release = gate();
    const worker = course.queue.work(async () => {
      started.open();
      await release.opened;
      throw new Error("would be tried again");
    });
    await course.queue.add("job");
    await started.opened;
    await course.cancelBySql();
    release.open();
    await eventually("it is nowhere on Valkey", async () => (await course.queue.counts()).running === 0);
    expect(await course.queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, dead: 0 });
    await worker.stop();
    expect((await course.row())?.state).toBe("cancelled");
  });
});
