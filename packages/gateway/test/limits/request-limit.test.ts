import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { RequestLimit } from "../../src/limits/request-limit.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test("what is counted while Valkey is asked stays counted", async () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const limit = new RequestLimit({ keyline: stage.keyline(), logger, max: 10, perMs: 3_600_000 });
  const asking = [limit.take("ada"), limit.take("ada")];
  for (let n = 0; n < 8; n++) limit.takeHere("ada");
  await Promise.all(asking);
  expect(() => limit.takeHere("ada")).toThrow("Too many requests");
  await expect(limit.take("ada")).rejects.toThrow("Too many requests");
});
