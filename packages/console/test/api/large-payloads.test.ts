import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { Payload } from "../../src/api/basics.ts";
import { historyPage } from "../../src/api/channel.ts";
import { jobView } from "../../src/api/job.ts";
import { lettersPage } from "../../src/api/letter.ts";
import { liveTail } from "../../src/api/live.ts";
import { entriesPage, groupLettersPage } from "../../src/api/stream.ts";
import { openConsole, signToken, type Answer, type ConsoleServer } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";
import { valid } from "../support/valid.ts";

const bytes = 1_048_576;
/** As large as a payload may be. */
const large = { text: "x".repeat(bytes - '{"text":""}'.length) };
const cut = { bytes, isWhole: false, data: null, preview: JSON.stringify(large).slice(0, 240) };
/** What a list of a few of them has, besides what it does not have. */
const mostInList = 20_000;

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline() });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function known(path: string): Promise<void> {
  await eventually("the console knows it", async () => (await console.get(`api/${path}`)).status === 200);
}

function expectCut(answer: Answer, payloads: readonly Payload[], count: number): void {
  expect(payloads).toEqual(Array.from({ length: count }, () => cut));
  expect(answer.text.length).toBeLessThan(mostInList);
}

test("entries of a mebibyte have their beginning in a list, and all of it by themselves", async () => {
  const stream = keyline.stream("large-entries");
  const { id } = await stream.append(large);
  await stream.append(large);
  await known("streams/large-entries");
  for (const query of ["", "?reverse=true"]) {
    const answer = await console.get(`api/streams/large-entries/entries${query}`);
    const { entries, next } = valid(entriesPage, answer);
    // A page ends where it would be too large to be read at once.
    expect(next).not.toBeNull();
    expectCut(
      answer,
      entries.map(({ payload }) => payload),
      1,
    );
  }
  const whole = valid(entriesPage, await console.get(`api/streams/large-entries/entries?from=${id}&limit=1`));
  expect(whole.entries.map(({ payload }) => payload.data)).toEqual([large]);
});

test("messages of a mebibyte have their beginning in the history, and where they are heard live", async () => {
  const channel = keyline.channel("large-messages", { history: { size: 10 } });
  await channel.list();
  await known("channels/large-messages");
  const live = await openLive(console.url, "channel:large-messages", await signToken({ console: "viewer" }));
  await live.find("it began", ({ type }) => type === "change");
  await eventually("it says up to where it was told", () => live.lastEventId() !== "");
  for (let n = 0; n < 3; n++) await channel.publish(large);
  await eventually("all came", () => live.events.filter(({ type }) => type === "tail").flatMap(({ data }) => data.rows ?? []).length === 3);
  const heard = live.events.filter(({ type }) => type === "tail").flatMap<unknown>(({ data }) => liveTail.parse(data).rows);
  expect(heard).toMatchObject([{ payload: cut }, { payload: cut }, { payload: cut }]);
  live.close();
  const answer = await console.get("api/channels/large-messages/history");
  expectCut(
    answer,
    valid(historyPage, answer).messages.map(({ payload }) => payload),
    3,
  );
});

test.each([{ transactional: false }, { transactional: true }])(
  "dead letters of a mebibyte have their beginning in a list (%j)",
  async (of) => {
    const queue = keyline.queue<object>(`large-letters-${of.transactional}`, { ...of, maxAttempts: 1 } as { transactional: false });
    await queue.add(large, { id: "one" });
    const worker = queue.work(() => Promise.reject(new Error("no")));
    await eventually("it died", async () => (await queue.counts()).dead === 1);
    await worker.stop();
    await known(`queues/${queue.name}`);
    const answer = await console.get(`api/queues/${queue.name}/letters`);
    expectCut(
      answer,
      valid(lettersPage, answer).letters.map(({ payload }) => payload),
      1,
    );
    expect(valid(jobView, await console.get(`api/queues/${queue.name}/jobs/one`)).payload).toMatchObject({
      bytes,
      isWhole: true,
      data: large,
    });
  },
);

test("so do those of a consumer group", async () => {
  const stream = keyline.stream("large-group-letters");
  const consumer = stream.consume("readers", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  await stream.append(large);
  await eventually("it died", async () => (await stream.groups())[0]?.dead === 1);
  await consumer.stop();
  await known("streams/large-group-letters");
  const answer = await console.get("api/streams/large-group-letters/groups/readers/letters");
  expectCut(
    answer,
    valid(groupLettersPage, answer).letters.map(({ payload }) => payload),
    1,
  );
});
