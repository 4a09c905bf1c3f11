import { afterAll, beforeAll, expect, test } from "vitest";
import { Door } from "../../../src/runtime/door.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { Seam } from "../../../src/runtime/probe.ts";
import { Groups } from "../../../src/stream/group/groups.ts";
import { wakeKeyOf } from "../../../src/valkey/stream/group-wake.ts";
import { StreamKeys } from "../../../src/valkey/stream/keys.ts";
import { openGroups } from "../../support/group-stage.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** Waits for entries alone: does not end early now and then, as a blocking read does when its time is over. */
async function whenAfter(key: string, after: string, signal: AbortSignal): Promise<void> {
  await eventually("an entry or the end", async () => signal.aborted || (await stage.valkey.xrange(key, `(${after}`, "+")).length > 0);
}

// So long that no renewal comes.
const lease = 86_400_000;

test.each([false, true])("a redriven entry is taken at once, whatever the lease is (keys: %s)", async (hasKeys) => {
  const site = openGroups(stage, `redriven-${hasKeys}`, { hasKeys });
  const groups = new Groups({
    stream: `redriven-${hasKeys}`,
    keys: site.keys,
    connection: site.connection,
    tails: { whenAfter },
    schema: undefined,
    hasKeys,
    logger: silentLogger,
    door: new Door(),
    seam: new Seam(),
  });
  let isMended = false;
  const attempts: number[] = [];
  const consumer = groups.consume(
    "g",
    ({ attempt }) => {
      attempts.push(attempt);
      if (!isMended) throw new Error("not yet");
    },
    { lease, maxAttempts: 1 },
  );
  await site.append([1], hasKeys ? () => "k" : undefined);
  for (const round of [1, 2]) {
    const idle = gate();
    const stopListening = consumer.on("idle", () => idle.open());
    await eventually("it is dead", async () => (await site.groups.status())[0]?.dead === 1);
    if (round === 1) await idle.opened;
    stopListening();
    isMended = round === 2;
    expect(await site.groups.group("g").redrive()).toBe(1);
    await eventually("it ran", () => attempts.length === round + 1);
  }
  await eventually("it has ended", async () => (await site.groups.status())[0]?.pending === 0);
  expect(attempts).toEqual([1, 1, 1]);
  await groups.stopWorking();
  await site.close();
});

test("what a consumer gives back as it stops is taken at once by one that waits", async () => {
  const site = openGroups(stage, "given-back");
  const other = new Groups({
    stream: "given-back",
    keys: site.keys,
    connection: site.connection,
    tails: { whenAfter },
    schema: undefined,
    hasKeys: false,
    logger: silentLogger,
    door: new Door(),
    seam: new Seam(),
  });
  await site.append([1]);
  const [began, idle] = [gate(), gate()];
  const leaving = site.groups.consume("g", () => (began.open(), new Promise(() => undefined)), { lease });
  await began.opened;
  let ran = 0;
  const staying = other.consume("g", () => void ran++, { lease });
  staying.on("idle", () => idle.open());
  await idle.opened;
  await leaving.stop({ timeout: 1 });
  await eventually("it ran", () => ran === 1);
  await other.stopWorking();
  await site.close();
});

test("redriving an entry of a transactional stream wakes the consumers of every process", async () => {
  const stream = stage.keyline().stream<number>("redriven-recorded", { transactional: true });
  const wake = wakeKeyOf(new StreamKeys(stage.prefix, stream.name));
  let isMended = false;
  let completed = 0;
  const consumer = stream.consume(
    "g",
    () => {
      if (!isMended) throw new Error("not yet");
    },
    { maxAttempts: 1, lease },
  );
  consumer.on("completed", () => completed++);
  await stream.append(1);
  await eventually("it is dead", async () => (await stream.groups())[0]?.dead === 1);
  isMended = true;
  expect(await stage.valkey.exists(wake)).toBe(0);
  expect(await stream.group("g").redrive()).toBe(1);
  expect(await stage.valkey.xlen(wake)).toBe(1);
  await eventually("it is completed", () => completed === 1);
  await consumer.stop();
});
