import type { Transaction } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe.each([true, false])("while a page is written (transactional: %s)", (transactional) => {
  /** Each number that a reader has looked at. */
  const looked = new Set<number>();
  const schema = z.number().refine((n) => looked.add(n));
  const open = async (shortName: string, count: number) => {
    const name = `${shortName}_${String(transactional)}`;
    const keyline = stage.keyline();
    const stream = transactional ? keyline.stream(name, { schema, transactional: true }) : keyline.stream(name, { schema });
    await stream.appendMany(upTo(count));
    looked.clear();
    // No unique key: it would hide an entry that took effect twice.
    await stage.pool.query(`CREATE TABLE ${name} (n integer, place bigserial)`);
    return {
      stream,
      note: async (tx: Transaction, numbers: readonly number[]) => {
        await tx.query(`INSERT INTO ${name} (n) SELECT unnest($1::integer[])`, [numbers]);
      },
      empty: async (tx: Transaction) => void (await tx.query(`TRUNCATE ${name}`)),
      noted: async () => (await stage.pool.query<{ n: number }>(`SELECT n FROM ${name} ORDER BY place`)).rows.map(({ n }) => n),
    };
  };

  test("the next one is read, and no more", async () => {
    const { stream, note, noted } = await open("ahead", 200);
    const lookedBefore: number[] = [];
    const projection = stream.project(
      "ahead",
      async (tx, entries) => {
        const numbers = entries.map(({ data }) => data);
        const next = Math.max(...numbers) + 1;
        if (next < 200) await eventually("the next page is read", () => looked.has(next));
        lookedBefore.push(Math.max(...looked));
        await note(tx, numbers);
      },
      { size: 50 },
    );
    await projection.caughtUp();
    expect(await noted()).toEqual(upTo(200));
    expect(lookedBefore).toEqual([99, 149, 199, 199]);
    await projection.stop();
  });

  test("what was read is forgotten where the page fails, and where the table is made anew", async () => {
    const { stream, note, noted, empty } = await open("fails", 200);
    let failures = 0;
    const projection = stream.project(
      "fails",
      async (tx, entries) => {
        const numbers = entries.map(({ data }) => data);
        await note(tx, numbers);
        if (numbers.includes(120) && failures++ < 3) throw new Error("not yet");
      },
      { size: 50, reset: empty },
    );
    projection.on("error", () => undefined);
    await projection.caughtUp();
    expect(await noted()).toEqual(upTo(200));
    expect(failures).toBeGreaterThan(3);
    await stream.append(200);
    await projection.rebuild();
    expect(await noted()).toEqual(upTo(201));
    await projection.stop();
  });
});
