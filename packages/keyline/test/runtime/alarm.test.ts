import { expect, test } from "vitest";
import { Alarm } from "../../src/runtime/alarm.ts";
import { gate } from "../support/stage.ts";

test("runs the work once for all that is set before its time, and not earlier than the first of it", async () => {
  const ran = gate();
  let runs = 0;
  const start = performance.now();
  const alarm = new Alarm(async () => {
    runs++;
    ran.open();
  });
  alarm.set(60_000);
  alarm.set(30);
  alarm.set(50);
  await ran.opened;
  expect(performance.now() - start).toBeGreaterThanOrEqual(28);
  await alarm.stop();
  expect(runs).toBe(1);
});

test("what is set while the work runs is for another run, which begins after it", async () => {
  const events: string[] = [];
  const second = gate();
  const alarm: Alarm = new Alarm(async () => {
    events.push("begins");
    if (events.length === 1) {
      alarm.set(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
    } else {
      second.open();
    }
    events.push("ends");
  });
  alarm.set(0);
  await second.opened;
  await alarm.stop();
  expect(events).toEqual(["begins", "ends", "begins", "ends"]);
});

test("stop waits for the work that runs, and nothing runs after it", async () => {
  const [started, release] = [gate(), gate()];
  let ends = 0;
  const alarm = new Alarm(async () => {
    started.open();
    await release.opened;
    ends++;
  });
  alarm.set(0);
  await started.opened;
  alarm.set(0);
  const stopping = alarm.stop();
  release.open();
  await stopping;
  expect(ends).toBe(1);
  alarm.set(0);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(ends).toBe(1);
});
