import { startValkey } from "@keyline/embedded";
import { expect, test } from "vitest";
import { eventually, openStage } from "../../../keyline/test/support/stage.ts";
import { HealthWatch } from "../../src/operations/health-watch.ts";

test("a store that is away keeps nobody waiting who asks how it is, and is seen when it is back", async () => {
  const valkey = await startValkey();
  const stage = await openStage({ valkeyUrl: valkey.url });
  const watch = new HealthWatch(stage.keyline());
  expect(await watch.stores()).toEqual({ valkey: "ok", postgres: "ok" });
  expect(watch.isAway("valkey")).toBe(false);
  // Frozen, so that each look takes as long as looks may.
  valkey.pause();
  await eventually("it is known", () => watch.isAway("valkey"));
  expect(watch.isAway("postgres")).toBe(false);
  const looked = new Promise((resolve) => setTimeout(resolve, 1_200, "looked"));
  expect(await Promise.race([watch.stores(), looked])).toEqual({ valkey: "away", postgres: "ok" });
  valkey.resume();
  await eventually("it is back", async () => (await watch.stores()).valkey === "ok");
  await stage.close();
  await valkey.stop();
});

test("however many ask, it is looked at once a second", async () => {
  const stage = await openStage();
  const keyline = stage.keyline();
  let looks = 0;
  const watch = new HealthWatch({
    health: () => {
      looks++;
      return keyline.health();
    },
  });
  await Promise.all(Array.from({ length: 50 }, () => watch.read()));
  watch.isAway("valkey");
  expect(looks).toBe(1);
  await stage.close();
});
