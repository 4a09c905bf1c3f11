import type { Job, PauseOptions } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const pauses: readonly { readonly what: string; readonly pause: PauseOptions; readonly beside: readonly string[] }[] = [
  { what: "a queue", pause: {}, beside: [] },
  { what: "a group", pause: { group: "g" }, beside: ["other"] },
];

describe.each([{ transactional: false }, { transactional: true }])("transactional: $transactional", ({ transactional }) => {
  // With one place the command that hands in the end could take the next job, with more another one could begin beside it.
  test.each(pauses.flatMap((pause) => [1, 3].map((concurrency) => ({ ...pause, concurrency }))))(
    "what runs is finished while $what is paused, and nothing of it begins ($concurrency at a time)",
    async ({ what, pause, beside, concurrency }) => {
      const queue = openEither<string>(stage.keyline(), `${what.slice(2)}-${concurrency}-${transactional}`, { transactional });
      const held = gate();
      const begun: string[] = [];
      const completed: string[] = [];
      const worker = queue.work(
        async ({ data }: Job<string>) => {
          begun.push(data);
          if (data === "running") await held.opened;
        },
        { concurrency },
      );
      worker.on("completed", (job: Job<string>) => void completed.push(job.data));
      await queue.add("running", pause);
      await eventually("it runs", () => begun.length === 1);
      // Of a group these stand in its line.
      if (concurrency === 1 || pause.group !== undefined) await queue.add("before", pause);
      await queue.pause(pause);
      await queue.add("after", pause);
      for (const data of beside) await queue.add(data);
      held.open();
      await eventually("what runs is completed", () => completed.includes("running"));
      await eventually("nothing runs", async () => (await queue.counts()).running === 0);
      await eventually("what is not paused has run", () => beside.every((data) => completed.includes(data)));
      for (let look = 0; look < 20; look++) expect(await queue.counts()).toMatchObject({ running: 0, scheduled: 0 });
      expect(await queue.counts()).toMatchObject({ paused: pause.group === undefined });
      expect(begun.toSorted()).toEqual(["running", ...beside].toSorted());
      await queue.resume(pause);
      await eventually("the others go on", () => completed.includes("after"));
      const others = begun.filter((data) => data === "before" || data === "after");
      expect(others).toEqual(concurrency === 1 || pause.group !== undefined ? ["before", "after"] : ["after"]);
      await worker.stop();
    },
  );
});
