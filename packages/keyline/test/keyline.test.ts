import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { Keyline } from "../src/keyline.ts";
import { openStage, type Stage } from "./support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
});
afterAll(() => stage.close());

const schema = z.object({ id: z.number() });
const other = z.object({ id: z.number() });
const key = ({ id }: { readonly id: number }): string => String(id);
const backoff = (): number => 10;

test("a queue that is asked for again is the same object, where the options are the same or left out", () => {
  const queue = keyline.queue("asked", { schema, maxAttempts: 3, backoff: { type: "fixed", delay: 5 } });
  expect(keyline.queue("asked")).toBe(queue);
  expect(keyline.queue("asked", { schema, maxAttempts: 3, backoff: { type: "fixed", delay: 5 } })).toBe(queue);
  // The default is what it is without.
  expect(keyline.queue("asked", { schema, maxAttempts: 3, lease: 10_000, backoff: { type: "fixed", delay: 5 } })).toBe(queue);
  for (const options of [{ maxAttempts: 3 }, { schema: other, maxAttempts: 3, backoff }, { schema, maxAttempts: 4 }]) {
    expect(() => keyline.queue("asked", options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
  expect(() => keyline.queue("asked", { transactional: true })).toThrow(/queue asked was made before/);
});

test("a channel that is asked for again is the same object, where the options are the same or left out", () => {
  const channel = keyline.channel("asked", { schema, history: { size: 10 } });
  expect(keyline.channel("asked")).toBe(channel);
  expect(keyline.channel("asked", { schema, history: { size: 10, ttl: 86_400_000 } })).toBe(channel);
  for (const options of [{ history: { size: 10 } }, { schema, history: { size: 11 } }, { schema: other, history: { size: 10 } }]) {
    expect(() => keyline.channel("asked", options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
});

test("a stream that is asked for again is the same object, where the options are the same or left out", () => {
  const stream = keyline.stream("asked", { schema, key, retention: { maxLength: 10 } });
  expect(keyline.stream("asked")).toBe(stream);
  expect(keyline.stream("asked", { schema, key, retention: { maxLength: 10 } })).toBe(stream);
  expect(() =>
    keyline.stream("asked", { schema, key: (event: { readonly id: number }) => key(event), retention: { maxLength: 10 } }),
  ).toThrow(/stream asked/);
  expect(() => keyline.stream("asked", { schema, key })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
