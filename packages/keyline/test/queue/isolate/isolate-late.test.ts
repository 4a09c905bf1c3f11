import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import type { LateData } from "./handlers/late.ts";

const file = new URL("./handlers/late.ts", import.meta.url);

let stage: EffectsStage;
let names = 0;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

function nextQueue(): Queue<LateData, LateData, true> {
  return stage.keyline().queue<LateData>(`late${names++}`, { transactional: true, keepResult: 60_000, maxAttempts: 1 });
}

describe.each(["thread", "process"] as const)("in a %s", (isolate) => {
  test("a settle that its handler does not wait for counts, as anywhere", async () => {
    const queue = nextQueue();
    const worker = queue.work(file, { isolate });
    const added = await queue.addMany(Array.from({ length: 3 }, () => ({ data: { do: "forget" } as const })));
    expect(await Promise.all(added.map(({ id }) => queue.waitFor(id, { timeout: 30_000 })))).toEqual(["both", "both", "both"]);
    expect(await stage.effectsOf(queue.name)).toEqual([1, 1, 1, 2, 2, 2]);
    expect(await stage.rowsOf(queue.name)).toEqual([]);
    await worker.stop();
  }, 60_000);

  test.each([
    ["use kept", "LEASE_LOST"],
    ["forget kept", "not disturbed"],
    ["step kept", ["LEASE_LOST", "LEASE_LOST"]],
  ] as const)(
    "what belongs to a job that has ended does nothing to the one that is there now: %s",
    async (what, codes) => {
      const queue = nextQueue();
      const worker = queue.work(file, { isolate });
      const { id: before } = await queue.add({ do: "keep" });
      expect(await queue.waitFor(before, { timeout: 30_000 })).toBe("kept");
      const { id } = await queue.add({ do: what });
      expect(await queue.waitFor(id, { timeout: 30_000 })).toEqual(codes);
      expect(await stage.effectsOf(queue.name)).toEqual([]);
      await worker.stop();
    },
    60_000,
  );
});
