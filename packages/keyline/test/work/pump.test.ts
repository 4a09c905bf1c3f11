import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Pump } from "../../src/work/pump.ts";

/** What happens when the answers to so many commands arrive at once, each of which brings so many units. */
async function answersAtOnce(count: number, places: number, { isReset = false } = {}): Promise<string[]> {
  const happened: string[] = [];
  const pump = new Pump(() => void happened.push("turn"));
  const { promise: answered, resolve: answer } = Promise.withResolvers<undefined>();
  const failed = (): void => void happened.push("failed");
  for (let number = 1; number <= count; number++) {
    pump.send(answered, { places, answered: () => void happened.push(`answer ${number}`), failed });
  }
  answer(undefined);
  while (pump.underWay === count) await Promise.resolve();
  if (isReset) pump.reset();
  while (pump.underWay > 0) await setImmediate();
  expect(pump.expected).toBe(0);
  return happened;
}

test("of answers that bring units the next waits until there was a turn for the one before it", async () => {
  const happened = await answersAtOnce(3, 5);
  expect(happened).toEqual(["answer 1", "turn", "answer 2", "turn", "answer 3", "turn"]);
});

test("answers that bring none are followed at once, and share a turn", async () => {
  expect(await answersAtOnce(3, 0)).toEqual(["answer 1", "answer 2", "answer 3", "turn"]);
});

test("an answer that waits belongs to nobody when the lease is over by then", async () => {
  expect(await answersAtOnce(2, 5, { isReset: true })).toEqual(["answer 1", "turn", "turn"]);
});
