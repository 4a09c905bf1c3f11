import fc from "fast-check";
import { expect, test } from "vitest";
import { Outbox } from "../../src/connection/outbox.ts";
import { surroundings } from "../../src/runtime/environment.ts";
import { Clock } from "../support/clock.ts";
import { openClient, openGateway } from "../support/client.ts";

const allowed = fc.integer({ min: 1, max: 200 });
const steps = fc.array(fc.record({ count: fc.nat({ max: 100 }), ms: fc.nat({ max: 3_000 }) }), { maxLength: 20 });

test("whatever is sent and when, it goes in order, and no second has more than the gateway allows", () => {
  fc.assert(
    fc.property(allowed, steps, (framesPerSecond, plan) => {
      const clock = new Clock();
      const sent: { readonly text: string; readonly at: number }[] = [];
      const write = (text: string): unknown => sent.push({ text, at: clock.now() });
      const outbox = new Outbox({ environment: clock.within(surroundings), framesPerSecond, write });
      let pushed = 0;
      for (const { count, ms } of plan) {
        for (let index = 0; index < count; index++) outbox.push({ text: String(pushed++) });
        clock.pass(ms);
      }
      clock.pass(1_000 * (pushed + 1));
      expect(sent.map(({ text }) => text)).toEqual(Array.from({ length: pushed }, (_, index) => String(index)));
      const most = Math.max(2, framesPerSecond);
      for (const [index, { at }] of sent.entries()) expect((sent[index + most]?.at ?? Infinity) - at).toBeGreaterThanOrEqual(1_000);
    }),
  );
});

test("what has not gone when it is stopped never goes", () => {
  const clock = new Clock();
  const sent: string[] = [];
  const outbox = new Outbox({ environment: clock.within(surroundings), framesPerSecond: 5, write: (text) => sent.push(text) });
  for (const text of ["a", "b", "c"]) outbox.push({ text });
  expect(outbox.length).toBe(1);
  outbox.stop();
  clock.pass(10_000);
  expect(sent).toEqual(["a", "b"]);
});

test("a client with more subscriptions than a gateway takes frames in a second gets all of them, also after a lost connection", async () => {
  const gateway = await openGateway();
  const live = openClient(gateway);
  const subscriptions = Array.from({ length: 60 }, (_, index) => live.subscribe(`channel-${index}`));
  await Promise.all(subscriptions.map(({ ready }) => ready));
  gateway.drop();
  await gateway.frame("subscribe", { count: 120 });
  expect(gateway.connections).toBe(2);
});
