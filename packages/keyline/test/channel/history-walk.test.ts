import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatCursor, parseCursor } from "../../src/channel/cursor.ts";
import { walk } from "../../src/channel/history-walk.ts";
import { silentLogger } from "../../src/runtime/logger.ts";
import { ChannelLog, type Position } from "../../src/valkey/channel/channel-log.ts";
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

type Operation =
  | { readonly do: "publish"; readonly count: number }
  /** As after a restart: another process wrote last. */
  | { readonly do: "restart" }
  /** As after a restart from an older copy: the last messages are gone. */
  | { readonly do: "forget"; readonly count: number }
  | { readonly do: "lose" }
  | { readonly do: "expire" };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.constant({ do: "restart" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "lose" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "expire" as const }) },
);

const size = 6;
const rule = { size, ttlMs: 60_000 };
let channels = 0;

/** A reader that takes pages of `limit` from a place to the end, and what it is told: ids, and "gap" where one is announced. */
async function readOn(
  log: ChannelLog,
  from: Position | "earliest",
  limit: number,
): Promise<{ told: string[]; position: Position; cursors: Map<string, Position> }> {
  const told: string[] = [];
  const cursors = new Map<string, Position>();
  for (let since = from; ;) {
    const page = await log.readSince(since, limit);
    const isEnd = page.entries.length < limit;
    const { steps, position } = walk("c", page, { since, isEnd });
    for (const step of steps) {
      if (step.kind === "gap") {
        if (told.at(-1) !== "gap") told.push("gap");
        continue;
      }
      told.push(step.id);
      cursors.set(step.id, parseCursor(formatCursor(step.position)));
    }
    if (isEnd) return { told, position, cursors };
    since = position;
  }
}

test("from any cursor, by pages of any size: what is kept comes once and in order, and a gap comes wherever something is missing, and nowhere else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 14 }), fc.integer({ min: 1, max: 7 }), async (operations, limit) => {
      const keys = new ChannelKeys(stage.prefix, `walk${channels++}`);
      const log = new ChannelLog(connection, { keys, run: new ServerRun(connection, "run"), hasPatterns: () => Promise.resolve(false) });
      // Everything that ever happened: ids, and "break" where messages may have been lost after the one before.
      const happened: string[] = [];
      const start = await readOn(log, "earliest", limit);
      const places = new Map<string, Position>([["", start.position]]);
      let next = 0;
      for (const step of operations) {
        if (step.do === "publish") {
          for (let times = 0; times < step.count; times++) {
            const id = `m${next++}`;
            const [published] = await log.publishKept([{ id, dataJson: "1", at: 0 }], rule);
            happened.push(id);
            places.set(id, parseCursor(published?.cursor ?? ""));
          }
        } else if (step.do === "lose") {
          await stage.valkey.del(keys.history, keys.state);
          happened.push("break");
        } else if (step.do === "expire") {
          await stage.valkey.del(keys.history);
        } else {
          if (step.do === "forget") await forget(keys, step.count);
          await turnIntoAnotherProcess(keys, { places, tag: `old${String(happened.length).padStart(5, "0")}` });
          happened.push("break");
        }
      }
      const kept = (await stage.valkey.xrange(keys.history, "-", "+")).map(([, fields]) => fields[1] ?? "");
      for (const [id, place] of places) {
        const { told, position } = await readOn(log, place, limit);
        const after = happened.slice(happened.indexOf(id) + 1);
        const expected = kept.filter((one) => after.includes(one));
        expect(told.filter((one) => one !== "gap")).toEqual(expected);
        const isMissing = after.some((one) => one === "break" || !kept.includes(one));
        expect({ id, told: told.includes("gap") }).toEqual({ id, told: isMissing });
        // Where it stands then, nothing more is to be told.
        expect((await readOn(log, position, limit)).told).toEqual([]);
      }
    }),
    { numRuns: Number(process.env["RUNS"] ?? 60) },
  );
}, 120_000);

test("a cursor whose message was lost by a server with a fast clock is before all that later servers wrote", async () => {
  const keys = new ChannelKeys(stage.prefix, "fast");
  const log = new ChannelLog(connection, { keys, run: new ServerRun(connection, "run"), hasPatterns: () => Promise.resolve(false) });
  const publish = async (id: string): Promise<Position> => {
    const [published] = await log.publishKept([{ id, dataJson: "1", at: 0 }], rule);
    return parseCursor(published?.cursor ?? "");
  };
  await publish("kept");
  const lost = await publish("lost");
  const places = new Map([["lost", { ...lost, last: `${Date.now() + 3_600_000}-0` }]]);
  await forget(keys, 1);
  await turnIntoAnotherProcess(keys, { places, tag: "fast" });
  await publish("second");
  await turnIntoAnotherProcess(keys, { places, tag: "right" });
  await publish("third");
  expect((await readOn(log, places.get("lost") ?? lost, 10)).told).toEqual(["gap", "second", "gap", "third"]);
});

/** As if another server process had written everything so far: the one that runs never has the name of one before it. */
async function turnIntoAnotherProcess(
  keys: ChannelKeys,
  { places, tag }: { readonly places: Map<string, Position>; readonly tag: string },
): Promise<void> {
  const era = await stage.valkey.hget(keys.state, "era");
  for (const [id, place] of places) if (place.era === era) places.set(id, { ...place, era: tag });
  const eras = (await stage.valkey.hget(keys.state, "eras")) ?? "";
  await stage.valkey.hset(keys.state, "server", tag, "era", tag, "eras", eras.replace(`${era}@`, `${tag}@`));
}

/** Takes the last messages out of the history and its state, as a server does that starts from an older copy. */
async function forget(keys: ChannelKeys, count: number): Promise<void> {
  const newest = await stage.valkey.xrevrange(keys.history, "+", "-", "COUNT", count);
  for (const [entry] of newest) {
    await stage.valkey.xdel(keys.history, entry);
    const [before] = await stage.valkey.xrevrange(keys.history, "+", "-", "COUNT", 1);
    const count = Number(await stage.valkey.hget(keys.state, "count")) - 1;
    await stage.valkey.hset(keys.state, "count", count, "last", before?.[0] ?? "0-0");
  }
}
