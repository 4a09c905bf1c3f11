import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Keyline, Stream } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

interface Event {
  readonly n: number;
}

let stage: Stage;
let server: EmbeddedValkey;
let valkey: Valkey;
let keyline: Keyline;

beforeAll(async () => {
  stage = await openStage();
  server = await startValkey();
  valkey = new Valkey(server.port, server.host);
  keyline = stage.keyline({ valkey: server.url });
  await keyline.migrate();
});
afterAll(async () => {
  await stage.close();
  valkey.disconnect();
  await server.stop();
});

const open = (name: string, hasKeys = false): Stream<Event, Event, true> =>
  keyline.stream<Event>(name, { transactional: true, ...(hasKeys ? { key: () => "k" } : {}) });

const marks = async (stream: string): Promise<number> =>
  (await stage.pool.query("SELECT FROM keyline.settled_event WHERE stream = $1 AND redriven", [stream])).rows.length;

test.each([false, true])(
  "a redriven entry above the floor is run once after Valkey lost the group, by whoever reads it (keys: %s)",
  async (hasKeys) => {
    const stream = open(`above-${hasKeys}`, hasKeys);
    await stream.appendMany([0, 1, 2, 3].map((n) => ({ n })));
    // 0 keeps the floor in front of all; what dies last makes all of them doubtful.
    const before = stream.consume(
      "g",
      ({ data: { n } }) => {
        if (n % 2 === 1) throw new Error("never");
        return hasKeys ? undefined : new Promise(() => undefined);
      },
      { concurrency: 10, maxAttempts: 1 },
    );
    await eventually("two are dead", async () => (await stream.groups())[0]?.dead === 2);
    await before.stop({ timeout: 1 });
    await stage.pool.query("UPDATE keyline.consumer_group SET floor = 0 WHERE stream = $1", [stream.name]);
    await stage.pool.query(
      `UPDATE keyline.settled_event SET redriven = true WHERE stream = $1
         AND position = (SELECT position FROM keyline.event WHERE stream = $1 AND data = '{"n":1}')`,
      [stream.name],
    );
    await valkey.flushall();
    const ran: number[] = [];
    const [began, goOn] = [gate(), gate()];
    const work = async ({ data: { n } }: { readonly data: Event }): Promise<void> => {
      ran.push(n);
      if (n !== 1) return;
      began.open();
      await goOn.opened;
    };
    const first = stream.consume("g", work, { concurrency: 1 });
    await began.opened;
    const second = stream.consume("g", work, { concurrency: 10 });
    await eventually("all were handed out", async () => (await stream.group("g").status()).lag === 0);
    if (!hasKeys) await eventually("the others have ended", async () => (await stream.group("g").status()).pending === 1);
    goOn.open();
    await eventually("nothing is left", async () => (await stream.group("g").status()).pending === 0);
    expect(ran.filter((n) => n === 1)).toEqual([1]);
    expect(await marks(stream.name)).toBe(0);
    await Promise.all([first.stop(), second.stop()]);
    // It is finished: nobody hands it out once more.
    const after = stream.consume("g", work);
    await stream.append({ n: 7 });
    await eventually("the next one ran", () => ran.includes(7));
    await after.stop();
    expect(ran.filter((n) => n === 1)).toEqual([1]);
  },
);
