import { expect, test } from "vitest";
import { readHead, readLetter, writeLetter } from "../../../src/queue/letters/dead-letter.ts";
import { HeldJob } from "../../../src/queue/worker/held-jobs.ts";
import { Job } from "../../../src/queue/job.ts";

const key = "a\x1f1764000000000123";

test("reads a letter as it was written, and its element is as a redrive puts it back", () => {
  const held = new HeldJob<unknown>('{"attempts":2,"id":"a","ownId":true,"group":"g","data":{"n":1}}');
  held.attempt = new Job({ id: "a", queue: "q", data: { n: 1 }, attempt: 3, addedAt: 1, schedule: undefined, group: "g" });
  const failed = { at: 5, tookMs: 7, error: "Error: no" };
  const { id, why, job } = writeLetter(held, { attempts: 3, error: new Error("no") }, failed);
  expect(id).toBe("a");
  expect(job.split("\n")[1]).toBe('{"id":"a","ownId":true,"group":"g","data":{"n":1},"history":[{"at":5,"ms":7,"error":"Error: no"}]}');
  expect(why.startsWith('{"ownId":true')).toBe(true);
  expect(readLetter(readHead({ key, why }), job)).toEqual({
    id: "a",
    reason: "Error: no",
    stack: expect.stringContaining("dead-letter.test.ts") as string,
    attempts: 3,
    at: 1764000000000,
    group: "g",
    history: [failed],
    data: { n: 1 },
  });
});

test("what no handler threw has no stack", () => {
  const held = new HeldJob<unknown>("junk");
  const { id, why, job } = writeLetter(held, { attempts: 0, error: new Error("no") }, undefined);
  expect(id).toBe("");
  expect(readLetter(readHead({ key, why }), job)).toMatchObject({ stack: undefined, data: "junk", history: [] });
});

test.each(["no JSON", "null", "5", "{}"])("shows what it can of a letter that somebody changed by hand: %s", (text) => {
  expect(readLetter(readHead({ key, why: text }), text)).toMatchObject({ id: "a", attempts: 0, stack: undefined });
});
