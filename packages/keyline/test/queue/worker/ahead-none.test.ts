import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])("transactional: $transactional", ({ transactional }) => {
  const open = (name: string): EitherQueue<number> => openEither<number>(stage.keyline(), `${name}-${transactional}`, { transactional });
  const numbered = (count: number): { data: number }[] => Array.from({ length: count }, (_, data) => ({ data }));

  /** The most that were held at a time until all of it is over, by as many looks as there is time for. */
  async function mostHeld(queue: EitherQueue<number>, isOver: () => boolean): Promise<number> {
    let most = 0;
    while (!isOver()) most = Math.max(most, (await queue.counts()).running);
    return most;
  }

  test("a worker whose handlers take 20 ms holds no more than it runs", async () => {
    const queue = open("slow");
    const concurrency = 4;
    let ran = 0;
    await queue.addMany(numbered(50));
    const worker = queue.work(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        ran++;
      },
      { concurrency },
    );
    const most = await mostHeld(queue, () => ran === 50);
    // On a transactional queue some of what has ended is held for a while, until it can be handed in together.
    if (!transactional) expect(most).toBeLessThanOrEqual(concurrency);
    const held = gate();
    const stuck = open("stuck");
    const other = stuck.work(() => held.opened, { concurrency });
    await stuck.addMany(numbered(10));
    await eventually("as many run as may", async () => (await stuck.counts()).running === concurrency);
    for (let look = 0; look < 20; look++) expect(await stuck.counts()).toMatchObject({ running: concurrency, waiting: 10 - concurrency });
    held.open();
    await other.stop();
    await worker.stop();
  });

  test("a worker of batches holds no more than they have room for, however quick they are", async () => {
    const queue = open("batches");
    const size = 10;
    const held = gate();
    let ran = 0;
    const worker = queue.workBatch(
      async (jobs: readonly unknown[]) => {
        ran += jobs.length;
        if (ran > 600) await held.opened;
      },
      { size },
    );
    await queue.addMany(numbered(600));
    expect(await mostHeld(queue, () => ran === 600)).toBeLessThanOrEqual(transactional ? 2 * size : size);
    await queue.addMany(numbered(30));
    await eventually("a batch is held up", () => ran > 600);
    const first = ran - 600;
    await eventually("the others wait", async () => (await queue.counts()).waiting === 30 - first);
    for (let look = 0; look < 20; look++) expect(await queue.counts()).toMatchObject({ waiting: 30 - first, running: first });
    held.open();
    await eventually("nothing is left", () => ran === 630);
    await worker.stop();
  });
});
