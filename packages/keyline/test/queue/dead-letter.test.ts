import { expect, test } from "vitest";
import { readDeadLetter } from "../../src/queue/dead-letter.ts";

test("reads a letter and the job in it", () => {
  const letter = { reason: "Error: no", attempts: 3, deadAt: 1, element: '{"attempts":2,"id":"a","data":{"n":1}}' };
  expect(readDeadLetter(JSON.stringify(letter))).toEqual({ id: "a", reason: "Error: no", attempts: 3, data: { n: 1 } });
});

test.each(["no JSON", "null", "5", "{}", '{"element":5}', '{"reason":"x","element":"{"}'])(
  "shows what it can of a letter that somebody put there by hand: %s",
  (text) => {
    expect(readDeadLetter(text)).toMatchObject({ id: undefined, attempts: 0 });
  },
);
