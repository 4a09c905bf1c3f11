import { readFileSync } from "node:fs";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

const text = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
const sectionOf = (code: string): string => new RegExp(`^### \`${code}\`\n\n(.+?)(?=\n#)`, "ms").exec(text)?.[1] ?? "";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

const bad = "a b";
const queue = () => keyline.queue<number>("numbers");
const recorded = () => keyline.queue<number>("recorded", { transactional: true });
const stream = () => keyline.stream<number>("readings");
const events = () => keyline.stream<number>("events", { transactional: true });
const first = (iterable: AsyncIterable<unknown>) => iterable[Symbol.asyncIterator]().next();

/** By the call as docs/errors.md names it. */
const calls: Record<string, readonly [name: string, call: () => unknown][]> = {
  INVALID_NAME: [
    ["new Keyline", () => new Keyline({ valkey: stage.valkeyUrl, prefix: bad })],
    ["keyline.queue", () => keyline.queue(bad)],
    ["channel", () => keyline.channel(bad)],
    ["channels", () => keyline.channels(bad)],
    ["stream", () => keyline.stream(bad)],
    ["schedule", () => queue().schedule(bad, { every: 1_000, data: 1 })],
    ["unschedule", () => queue().unschedule(bad)],
    ["pauseSchedule", () => queue().pauseSchedule(bad)],
    ["resumeSchedule", () => queue().resumeSchedule(bad)],
    ["runSchedule", () => queue().runSchedule(bad)],
    ["consume", () => stream().consume(bad, () => undefined)],
    ["group", () => stream().group(bad)],
    ["project", () => events().project(bad, async () => undefined)],
    ["presence.enter", () => keyline.channel("room").presence.enter("")],
  ],
  INVALID_ID: [
    ["add", () => queue().add(1, { id: bad })],
    ["addMany", () => queue().addMany([{ data: 1, id: bad }])],
    ["waitFor", () => queue().waitFor(bad)],
    ["job", () => queue().job(bad)],
    ["family", () => queue().family(bad)],
    ["promote", () => queue().promote(bad)],
    ["update", () => queue().update(bad, { data: 1 })],
    ["cancel", () => queue().cancel(bad)],
    ["ids", () => queue().cancel({ ids: [bad] })],
    ["signal", () => recorded().signal(bad, "go")],
    ["find", () => events().find(bad)],
    ["read", () => first(stream().read({ from: bad }))],
    ["to", () => first(stream().read({ to: bad }))],
    ["follow", () => first(stream().follow({ after: bad }))],
    ["from", () => stream().consume("mailer", () => undefined, { from: bad })],
    ["group.reset", () => stream().group("mailer").reset(bad)],
    [
      "redrive",
      () =>
        stream()
          .group("mailer")
          .redrive({ ids: [bad] }),
    ],
    [
      "discard",
      () =>
        stream()
          .group("mailer")
          .discard({ ids: [bad] }),
    ],
    ["audit.finish", () => keyline.audit.finish(bad)],
  ],
};

for (const [code, known] of Object.entries(calls)) {
  test.each(known)(`${code}: %s`, async (name, call) => {
    await expect((async () => call())()).rejects.toMatchObject({ code });
    expect(sectionOf(code)).toContain(`\`${name}\``);
  });
}
