import { expect, test } from "vitest";
import { soak } from "../../soak/soak.ts";

// One seed of the soak, for some seconds and with few processes: `npm run soak` is the real one.
test("queues, the channel and streams survive a short soak, which proves something", async () => {
  const { verdict, violations, reasons, struck, folder } = await soak({
    seed: 24,
    quietMs: 200,
    faultsMs: 4_000,
    kinds: ["kill", "flush", "cut", "swallow"],
    cast: { producer: 1, worker: 2, consumer: 1, subscriber: 1 },
    recoverMs: 60_000,
    drainMs: 60_000,
    log: () => undefined,
  });
  expect(violations, `the histories are in ${folder}`).toEqual([]);
  expect({ verdict, reasons }).toEqual({ verdict: "valid", reasons: [] });
  expect(new Set(struck.filter(({ proof }) => proof !== undefined).map(({ kind }) => kind)).size).toBeGreaterThan(1);
}, 240_000);
