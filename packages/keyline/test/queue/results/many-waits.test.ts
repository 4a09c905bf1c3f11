import { connect } from "node:net";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";
import { targetOf } from "../../support/wire-proxy.ts";

const many = 2_000;
const listenMs = 3_000;
/** Names in use and the like, said once a minute or so. */
const others = 5;

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** What clients ask of Valkey meanwhile, without what scripts do. */
async function askedIn(ms: number): Promise<string[]> {
  const asked: string[] = [];
  const monitor = connect(targetOf(stage.valkeyUrl));
  createInterface({ input: monitor }).on("line", (line) => {
    const [, source = "", command = ""] = /^\+[\d.]+ \[\d+ (\S+)\] (.*)$/.exec(line) ?? [];
    if (source !== "" && source !== "lua") asked.push(command);
  });
  monitor.write("MONITOR\r\n");
  await new Promise((resolve) => setTimeout(resolve, ms));
  monitor.destroy();
  return asked;
}

/** The same, once what is looked up at first has been: on a plain queue also whether the jobs are there at all, a second later. */
async function askedLater(): Promise<string[]> {
  await eventually("little is asked", async () => (await askedIn(2_000)).length <= others * 2, 60_000);
  return askedIn(listenMs);
}

const isRead = (command: string): boolean => command.startsWith('"xread"');

describe.each([{ transactional: false }, { transactional: true }])(
  "however many wait for jobs (transactional: $transactional)",
  ({ transactional }) => {
    /** What is asked while nobody waits, and while so many do; both by two Keylines, one of which has added the jobs. */
    async function compare(name: string, keepResult?: number): Promise<{ readonly idle: string[]; readonly waiting: string[] }> {
      const [own, other] = [stage.keyline(), stage.keyline()];
      const open = (keyline: typeof own): EitherQueue<number> =>
        openEither<number>(keyline, `${name}-${transactional}`, { transactional, ...(keepResult !== undefined && { keepResult }) });
      const [queue, adder] = [open(own), open(other)];
      const added = await adder.addMany(Array.from({ length: many }, (_, data) => ({ data, delay: 3_600_000 })));
      await eventually("all are scheduled", async () => (await queue.counts()).scheduled === many);
      const idle = await askedLater();
      const ends = added.map(({ id }) => queue.waitFor(id).then(String, (error: { readonly code: string }) => error.code));
      const waiting = await askedLater();
      // They do wait: each is told.
      expect(await adder.cancel({ all: true })).toBe(many);
      expect(new Set(await Promise.all(ends))).toEqual(new Set(["JOB_CANCELLED"]));
      await Promise.all([own.close(), other.close()]);
      return { idle, waiting };
    }

    test("a read that all share tells them, and nobody asks", async () => {
      const { idle, waiting } = await compare("kept", 600_000);
      expect(waiting.filter(isRead).length).toBeLessThanOrEqual(idle.filter(isRead).length + 2);
      expect(waiting.filter((command) => !isRead(command)).slice(idle.length + others)).toEqual([]);
    }, 120_000);

    test("of which nothing will be left, one looks now and then, a page at a time", async () => {
      const { idle, waiting } = await compare("unkept");
      expect(waiting.filter(isRead).length).toBeLessThanOrEqual(idle.filter(isRead).length + 2);
      expect(waiting.length - idle.length, waiting.join("\n")).toBeLessThanOrEqual(many / 50);
    }, 120_000);
  },
);
