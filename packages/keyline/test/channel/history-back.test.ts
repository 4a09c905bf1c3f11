import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { History } from "../../src/channel/history.ts";
import { MessageReader } from "../../src/channel/message.ts";
import { silentLogger } from "../../src/runtime/logger.ts";
import { ChannelLog } from "../../src/valkey/channel/channel-log.ts";
import { ValkeyConnection } from "../../src/valkey/client/connection.ts";
import { ChannelKeys } from "../../src/valkey/channel/keys.ts";
import { toTarget } from "../../src/valkey/client/options.ts";
import { ServerRun } from "../../src/valkey/client/server-run.ts";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let connection: ValkeyConnection;
beforeAll(async () => {
  stage = await openStage();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger: silentLogger, silenceMs: 5_000 });
  await connection.ensureReady(5_000);
});
afterAll(async () => {
  connection.close();
  await stage.close();
});

test("a history is read back page by page to the first message that is kept, each once, and says when there is none before", async () => {
  const channel = stage.keyline().channel<number>("back", { history: { size: 6 } });
  for (let n = 0; n < 9; n++) await channel.publish(n);
  for (const [limit, pages] of [
    [1, 6],
    [2, 3],
    [3, 2],
    [4, 2],
    [6, 1],
    [7, 1],
  ] as const) {
    const read: number[][] = [];
    for (let before: string | undefined, isFirst = true; isFirst || before !== undefined; isFirst = false) {
      const page = await channel.history({ limit, before });
      expect(page.gaps).toEqual([]);
      expect(page.messages.length).toBeLessThanOrEqual(limit);
      read.unshift(page.messages.map(({ data }) => data));
      // What comes behind a page is what was read before it.
      const { messages } = await channel.history({ since: page.cursor, limit: 1 });
      expect(messages.map(({ data }) => data)).toEqual(before === undefined ? [] : [read[1]?.[0]]);
      before = page.earlier;
    }
    expect(read.flat()).toEqual([3, 4, 5, 6, 7, 8]);
    expect(read).toHaveLength(pages);
  }
});

test("what was published meanwhile does not move the place, and before what was trimmed there is nothing", async () => {
  const channel = stage.keyline().channel<number>("moving", { history: { size: 4 } });
  for (let n = 0; n < 4; n++) await channel.publish(n);
  const newest = await channel.history({ limit: 2 });
  await channel.publish(4);
  expect(await channel.history({ limit: 2, before: newest.earlier })).toMatchObject({
    messages: [{ data: 1 }],
    gaps: [],
    earlier: undefined,
  });
  for (let n = 5; n < 9; n++) await channel.publish(n);
  expect(await channel.history({ before: newest.earlier })).toMatchObject({ messages: [], gaps: [], earlier: undefined });
});

test("messages that a schema refuses are passed over, and the pages before them are reached all the same", async () => {
  const writer = stage.keyline().channel("strict-back", { history: {} });
  for (const data of [1, 2, "no", "no", "no", 3]) await writer.publish(data);
  const numbers = stage.keyline().channel("strict-back", { history: {}, schema: z.number() });
  const seen: number[] = [];
  for (let before: string | undefined, pages = 0; pages === 0 || before !== undefined; pages++) {
    const page = await numbers.history({ limit: 2, before });
    seen.unshift(...page.messages.map(({ data }) => data));
    before = page.earlier;
  }
  expect(seen).toEqual([1, 2, 3]);
});

test("it is read on or back, from a cursor alone", async () => {
  const channel = stage.keyline().channel<number>("either", { history: {} });
  const { cursor } = await channel.publish(1);
  await expect(channel.history({ since: cursor, before: cursor })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  for (const before of ["", "earliest", "nonsense"]) {
    await expect(channel.history({ before })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
  }
  // As in a history where nothing was published yet.
  const empty = await stage.keyline().channel("empty", { history: {} }).history();
  expect(await stage.keyline().channel("empty", { history: {} }).history({ before: empty.cursor })).toMatchObject({
    messages: [],
    gaps: [],
  });
});

const rule = { size: 6, ttlMs: 60_000 };
const times = fc.integer({ min: 1, max: 4 });
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), times }) },
  { weight: 2, arbitrary: fc.constant({ do: "restart" as const, times: 0 }) },
  /** As after a restart from an older copy: the last messages are gone. */
  { weight: 2, arbitrary: fc.record({ do: fc.constant("forget" as const), times }) },
  { weight: 1, arbitrary: fc.constant({ do: "lose" as const, times: 0 }) },
  { weight: 1, arbitrary: fc.constant({ do: "expire" as const, times: 0 }) },
);
let channels = 0;

test("back from any cursor, by pages of any size: what is kept before it comes once and in order, with a gap wherever something between is missing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 12 }), fc.integer({ min: 1, max: 7 }), async (operations, limit) => {
      const keys = new ChannelKeys(stage.prefix, `back${channels++}`);
      const log = new ChannelLog(connection, { keys, run: new ServerRun(connection, "run"), hasPatterns: () => Promise.resolve(false) });
      const history = new History("c", {
        log,
        reader: new MessageReader("c", { schema: undefined, logger: silentLogger }),
        logger: silentLogger,
      });
      // Everything that ever happened: ids, "break" where messages may have been lost, and "lost" where another history began.
      const happened: string[] = [];
      const cursors = new Map<string, string>();
      for (const step of operations) {
        if (step.do === "publish") {
          for (let count = 0; count < step.times; count++) {
            const id = `m${cursors.size}`;
            const [published] = await log.publishKept([{ id, dataJson: "1", at: 0 }], rule);
            happened.push(id);
            cursors.set(id, published?.cursor ?? "");
          }
        } else if (step.do === "lose") {
          await stage.valkey.del(keys.history, keys.state);
          happened.push("lost");
        } else if (step.do === "expire") {
          await stage.valkey.del(keys.history);
        } else {
          await forget(keys, step.times);
          if ((await stage.valkey.exists(keys.state)) === 1) await stage.valkey.hset(keys.state, "server", `old${happened.length}`);
          happened.push("break");
        }
      }
      const kept = (await stage.valkey.xrange(keys.history, "-", "+")).map(([, fields]) => fields[1] ?? "");
      for (const [id, cursor] of cursors) {
        expect({ id, ...(await readBack(history, cursor, limit)) }).toEqual({ id, ...expectedBefore(id, happened, kept) });
      }
    }),
    { numRuns: Number(process.env["RUNS"] ?? 60) },
  );
}, 120_000);

async function readBack(history: History<unknown>, from: string, limit: number): Promise<{ ids: string[]; gaps: number }> {
  const ids: string[] = [];
  let gaps = 0;
  for (let before: string | undefined = from; before !== undefined;) {
    const page = await history.read({ limit, since: undefined, before });
    ids.unshift(...page.messages.map((message) => message.id));
    gaps += page.gaps.length;
    before = page.earlier;
  }
  return { ids, gaps };
}

/** In front of the first one that is kept nothing is announced. */
function expectedBefore(id: string, happened: readonly string[], kept: readonly string[]): { ids: string[]; gaps: number } {
  const place = happened.indexOf(id);
  if (happened.indexOf("lost", place) !== -1) return { ids: [], gaps: 1 };
  const ids: string[] = [];
  let gaps = 0;
  let isMissing = false;
  for (const one of [...happened.slice(0, place), id]) {
    if (isMissing && ids.length > 0 && (one === id || kept.includes(one))) gaps++;
    if (one !== id && kept.includes(one)) ids.push(one);
    isMissing = one !== id && !kept.includes(one);
  }
  return { ids, gaps };
}

/** Takes the last messages out of the history and its state. */
async function forget(keys: ChannelKeys, count: number): Promise<void> {
  const newest = count === 0 ? [] : await stage.valkey.xrevrange(keys.history, "+", "-", "COUNT", count);
  for (const [entry] of newest) {
    await stage.valkey.xdel(keys.history, entry);
    const [before] = await stage.valkey.xrevrange(keys.history, "+", "-", "COUNT", 1);
    const left = Number(await stage.valkey.hget(keys.state, "count")) - 1;
    await stage.valkey.hset(keys.state, "count", left, "last", before?.[0] ?? "0-0");
  }
}
