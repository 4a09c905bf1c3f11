import { Keyline, type AuditEntry } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
const opened: Keyline[] = [];
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(async () => {
  await Promise.all(opened.map((keyline) => keyline.close()));
  await stage.close();
});

let prefixes = 0;

function open(kind: "rows" | "valkey"): Keyline {
  if (kind === "rows") return stage.keyline();
  const keyline = new Keyline({ valkey: stage.valkeyUrl, prefix: `${stage.prefix}_${prefixes++}` });
  opened.push(keyline);
  return keyline;
}

async function collect(entries: AsyncIterable<AuditEntry>): Promise<AuditEntry[]> {
  const collected: AuditEntry[] = [];
  for await (const entry of entries) collected.push(entry);
  return collected;
}

const list = (keyline: Keyline, options?: Parameters<Keyline["audit"]["list"]>[0]): Promise<AuditEntry[]> =>
  collect(keyline.audit.list(options));

describe.each(["rows", "valkey"] as const)("the audit trail in %s", (kind) => {
  test("tells who did what to which, newest first, and how it ended", async () => {
    const { audit } = open(kind);
    const before = Date.now() - 5_000;
    const first = await audit.add({ who: "ann", action: "redrive", target: "queue:a", details: { filter: { error: 'x"y' } }, count: 7 });
    const second = await audit.add({ who: "bob", action: "pause", target: "queue:b" });
    expect(await audit.finish(first, { count: 5, error: "stopped \0by ann" })).toBe(true);
    const [newest, oldest] = await collect(audit.list({ limit: 2 }));
    expect(newest).toMatchObject({
      id: second,
      who: "bob",
      action: "pause",
      target: "queue:b",
      details: undefined,
      count: undefined,
      finishedAt: undefined,
    });
    expect(oldest).toMatchObject({ id: first, who: "ann", details: { filter: { error: 'x"y' } }, count: 5, error: "stopped by ann" });
    expect(oldest?.at).toBeGreaterThan(before);
    expect(oldest?.finishedAt).toBeGreaterThan(before);
  });

  test("keeps the first end of an act, and the count that it was meant for without another", async () => {
    const { audit } = open(kind);
    const id = await audit.add({ who: "ann", action: "discard", target: "queue:ends", count: 3 });
    expect(await audit.finish(id)).toBe(true);
    expect(await audit.finish(id, { count: 9, error: "late" })).toBe(false);
    expect(await collect(audit.list({ target: "queue:ends" }))).toMatchObject([
      { count: 3, error: undefined, finishedAt: expect.any(Number) as number },
    ]);
    expect(await audit.finish(kind === "rows" ? "999999" : "1-1", { count: 1 })).toBe(false);
  });

  test("is read in pages, from a cursor, and of one target", async () => {
    const keyline = open(kind);
    const ids: string[] = [];
    for (let index = 0; index < 230; index++) {
      ids.push(
        await keyline.audit.add({ who: "ann", action: "remove", target: index % 115 === 0 ? "queue:rare" : "queue:many", details: index }),
      );
    }
    const newest = ids.toReversed();
    const all = await list(keyline, { limit: 230 });
    expect(all.map(({ id }) => id)).toEqual(newest);
    expect((await list(keyline, { cursor: all[99]?.cursor ?? "", limit: 120 })).map(({ id }) => id)).toEqual(newest.slice(100, 220));
    const rare = await list(keyline, { target: "queue:rare" });
    expect(rare.map(({ details }) => details)).toEqual([115, 0]);
    expect(await list(keyline, { target: "queue:rare", cursor: rare[0]?.cursor ?? "" })).toEqual([rare[1]]);
    expect(await list(keyline, { target: "queue:none" })).toEqual([]);
  });

  test("refuses what it does not know before anything is written", async () => {
    const keyline = open(kind);
    const { audit } = keyline;
    const whole = { who: "ann", action: "pause", target: "queue:refused" };
    await expect(audit.add({ ...whole, who: "" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add({ ...whole, target: "a\nb" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add({ ...whole, action: undefined as unknown as string })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add({ ...whole, count: -1 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add({ ...whole, whom: 1 } as typeof whole)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add(null as unknown as typeof whole)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(audit.add({ ...whole, details: 1n })).rejects.toMatchObject({ code: "NOT_SERIALIZABLE" });
    await expect(audit.add({ ...whole, details: "x".repeat(70_000) })).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    await expect(audit.finish("x", {})).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(audit.finish("1-1' OR true", {})).rejects.toMatchObject({ code: "INVALID_ID" });
    expect(() => audit.list({ cursor: "newest" })).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }) as Error);
    expect(() => audit.list({ limit: 0 })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }) as Error);
    expect(await list(keyline, { target: "queue:refused" })).toEqual([]);
  });
});

test("on Valkey the newest ten thousand are kept, and the ends of the others are forgotten with them", async () => {
  const keyline = open("valkey");
  const first = await keyline.audit.add({ who: "ann", action: "pause", target: "queue:first" });
  await keyline.audit.finish(first, {});
  await Promise.all(
    Array.from({ length: 10_000 }, (_, index) => keyline.audit.add({ who: "ann", action: "pause", target: `queue:${index}` })),
  );
  expect(await stage.valkey.xlen(`${keyline.prefix}:{audit}:audit`)).toBe(10_000);
  expect(await stage.valkey.hlen(`${keyline.prefix}:{audit}:audit-ends`)).toBe(0);
  expect(await list(keyline, { target: "queue:first" })).toEqual([]);
});

test("an entry that cannot be written rejects, so that nobody acts: in a database without the schema, and with a Keyline that was closed", async () => {
  const other = await openStage();
  try {
    await expect(other.keyline().audit.add({ who: "ann", action: "pause", target: "queue:a" })).rejects.toMatchObject({
      code: "NOT_MIGRATED",
    });
  } finally {
    await other.close();
  }
  const closed = open("valkey");
  await closed.close();
  await expect(closed.audit.add({ who: "ann", action: "pause", target: "queue:a" })).rejects.toMatchObject({ code: "CLOSED" });
});
