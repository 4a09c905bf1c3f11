import { KeylineError } from "keyline";
import { expect, test } from "vitest";
import { openStage } from "../../../keyline/test/support/stage.ts";
import { toFailure } from "../../src/http/refusal.ts";
import { openConsole } from "../support/console-server.ts";

test("a database that nobody has migrated is told of in words", async () => {
  const stage = await openStage();
  const console = await openConsole({ keyline: stage.keyline() });
  expect(await console.get("api/audit")).toMatchObject({
    status: 503,
    body: { code: "NOT_MIGRATED", title: "A store cannot be used as it is", detail: expect.stringContaining("migrate") as string },
  });
  await console.close();
  await stage.close();
});

test("what went wrong inside is told to nobody, and what a store says without what is hidden", () => {
  const hide = (text: string): string => text.replace("secret", "[hidden]");
  expect(toFailure(new Error("secret"), hide)).toEqual({
    type: "about:blank",
    title: "Something went wrong in the console",
    status: 500,
    code: "INTERNAL_ERROR",
  });
  expect(toFailure(new KeylineError("NOT_PERMITTED", "the user of secret may not"), hide)).toMatchObject({
    status: 503,
    detail: "the user of [hidden] may not",
  });
});
