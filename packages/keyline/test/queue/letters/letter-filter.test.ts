import type { LetterActOptions } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkDeadLettersOptions, checkLetterActOptions } from "../../../src/queue/letters/letter-filter.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { ill, openWard } from "../../support/ward.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const bad: readonly (readonly [object, RegExp])[] = [
  [{ ids: "job-1" }, /^ids must be an array/],
  [{ ids: [""] }, /^ids must be texts/],
  [{ ids: [7] }, /^ids must be texts/],
  [{ ids: ["a\u001fb"] }, /^ids must have no control characters/],
  [{ ids: Array.from({ length: 10_001 }, () => "a") }, /^ids must be an array of up to 10000/],
  [{ ids: undefined }, /^ids must not be undefined/],
  [{ error: "" }, /^error must be a text that is not empty, or a RegExp/],
  [{ error: 5 }, /^error must be/],
  [{ error: undefined, before: 5 }, /^error must not be undefined/],
  [{ group: "" }, /^group must be/],
  [{ before: "2020-01-01" }, /^before must be a valid Date/],
  [{ after: new Date(Number.NaN) }, /^after must be a valid Date/],
  [{ after: Number.POSITIVE_INFINITY }, /^after must be/],
  [{ after: 5, before: 5 }, /^after must be earlier than before/],
  [{ ids: ["a"], limit: 0 }, /^limit must be/],
];

test.each(bad)("%j is refused", (options, message) => {
  const refusal = expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) as string }) as Error;
  expect(() => checkDeadLettersOptions(options)).toThrow(refusal);
  expect(() => checkLetterActOptions("redrive", options)).toThrow(refusal);
});

const badActs: readonly (readonly [object | undefined, RegExp])[] = [
  [undefined, /^redrive takes its options as an object/],
  [{}, /^redrive needs to know which dead letters are meant: one of ids, error, cause, group, before, after, or all: true/],
  [{ limit: 5 }, /^redrive needs to know/],
  [{ all: false }, /^all must be true/],
  [{ all: undefined }, /^all must be true/],
  [{ all: true, group: "a" }, /^all goes with no filter, and here is group/],
  [{ all: true, onProgress: 5 }, /^onProgress must be a function/],
  [{ all: true, signal: {} }, /^signal must be an AbortSignal/],
];

test.each(badActs)("an act with %j is refused", (options, message) => {
  const refusal = expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) as string }) as Error;
  expect(() => checkLetterActOptions("redrive", options as LetterActOptions)).toThrow(refusal);
});

test("what is refused has changed nothing", async () => {
  const ward = openWard(stage, { transactional: false });
  await ward.die([ill(0), ill(1)]);
  for (const [options] of [...bad, ...badActs]) {
    await expect(ward.queue.discard(options as LetterActOptions)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(ward.queue.redrive(options as LetterActOptions)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  }
  await eventually("both are there", async () => (await ward.queue.counts()).dead === 2);
  await ward.close();
});

test.each([{ maxLength: 0 }, { maxAge: 0 }, { maxAge: 1.5 }, { maxLength: Number.NaN }])("a retention of %j is refused", (deadLetters) => {
  const name = Object.keys(deadLetters)[0] ?? "";
  expect(() => stage.keyline().queue("refused", { deadLetters })).toThrow(new RegExp(`^deadLetters.${name} must be`));
});
