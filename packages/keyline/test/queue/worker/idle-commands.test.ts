import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { targetOf } from "../../support/wire-proxy.ts";

// What a worker with nothing to do asks of Valkey: the renewals of its lease, every third of it, and a wait that takes longer than that.

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const renewals = 12;
/** What is said once a minute or so: names in use, rates, dead letters. */
const others = 5;
const mostTimes = 4;

interface Asked {
  readonly renewals: number;
  readonly waits: number;
  readonly others: readonly string[];
}

/** What clients ask until a worker has renewed its lease so often. Commands within scripts are those of the script. */
async function askedMeanwhile(): Promise<Asked> {
  const asked: string[] = [];
  const monitor = connect(targetOf(stage.valkeyUrl));
  createInterface({ input: monitor }).on("line", (line) => {
    const [, source = "", command = ""] = /^\+[\d.]+ \[\d+ (\S+)\] (.*)$/.exec(line) ?? [];
    if (source !== "" && source !== "lua") asked.push(command);
  });
  monitor.write("MONITOR\r\n");
  const isRenewal = (command: string): boolean => command.startsWith('"evalsha"') && command.includes(":held:");
  await eventually("the lease was renewed", () => asked.filter(isRenewal).length >= renewals, 60_000);
  monitor.destroy();
  const isWait = (command: string): boolean => /^"(blmove|xread)"/.test(command);
  return {
    renewals: asked.filter(isRenewal).length,
    waits: asked.filter(isWait).length,
    others: asked.filter((command) => !isRenewal(command) && !isWait(command)),
  };
}

/**
 * Whoever polls does so each time. A worker that has just been given something to see to has more to say once, and so has one on a machine that stood still for twice its lease: what it had said
 * of itself is gone.
 */
async function expectQuiet(): Promise<void> {
  let asked = await askedMeanwhile();
  const isQuiet = (): boolean => asked.waits <= asked.renewals + 1 && asked.others.length <= others;
  for (let times = 1; !isQuiet() && times < mostTimes; times++) asked = await askedMeanwhile();
  expect(asked.waits).toBeLessThanOrEqual(asked.renewals + 1);
  expect(asked.others.slice(others)).toEqual([]);
}

describe.each([{ transactional: false }, { transactional: true }])(
  "an idle worker (transactional: $transactional)",
  ({ transactional }) => {
    test("does not poll, whether nothing is scheduled or what is due in an hour", async () => {
      const keyline = stage.keyline();
      const queue: Queue<number> = keyline.queue<number>(`idle-${transactional}`, { transactional, lease: 900 } as {
        transactional: false;
      });
      const ran = Promise.withResolvers<void>();
      const worker = queue.work(() => ran.resolve());
      await queue.add(1);
      await ran.promise;
      // How a queue begins: names, and what the rows say of a memory that is new.
      await askedMeanwhile();
      await expectQuiet();
      const { id } = await queue.add(2, { delay: 3_600_000 });
      await eventually("it is scheduled", async () => (await queue.counts()).scheduled === 1);
      await expectQuiet();
      expect(await queue.cancel(id)).toBe("scheduled");
      await expectQuiet();
      await worker.stop();
      await keyline.close();
    }, 200_000);
  },
);
