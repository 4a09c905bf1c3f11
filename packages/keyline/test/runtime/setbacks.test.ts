import { expect, test } from "vitest";
import { Setbacks } from "../../src/runtime/setbacks.ts";

test("a success of one kind does not end the growth of another", () => {
  const setbacks = new Setbacks<"settle" | "take">();
  for (let round = 1; round <= 5; round++) {
    expect(setbacks.note("settle")).toBe(round);
    setbacks.note("take");
    setbacks.clear("take");
  }
  expect(setbacks.most).toBe(5);
  setbacks.clear("settle");
  expect(setbacks.most).toBe(0);
});
