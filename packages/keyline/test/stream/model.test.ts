import type { Entry, Keyline, Stream } from "keyline";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let keylines: Keyline[];

beforeAll(async () => {
  stage = await openStage();
  keylines = [stage.keyline(), stage.keyline()];
  await keylines[0]?.migrate();
});

afterAll(() => stage.close());

interface Event {
  readonly n: number;
  readonly key: string;
}

type Step =
  | { readonly kind: "append"; readonly by: number; readonly keys: readonly string[] }
  | { readonly kind: "once"; readonly by: number; readonly key: string; readonly once: string }
  | { readonly kind: "transaction"; readonly by: number; readonly keys: readonly string[]; readonly commits: boolean }
  | { readonly kind: "lose" }
  | { readonly kind: "read"; readonly from: number; readonly to: number; readonly limit: number; readonly reverse: boolean }
  | { readonly kind: "history"; readonly key: string; readonly limit: number; readonly reverse: boolean }
  | { readonly kind: "follow"; readonly after: number };

const by = fc.nat({ max: 1 });
const key = fc.constantFrom("a", "b", "c {d}");
const keys = fc.array(key, { minLength: 1, maxLength: 5 });
const place = fc.nat({ max: 40 });
const limit = fc.integer({ min: 1, max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), by, keys }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("once" as const), by, key, once: fc.constantFrom("x", "y") }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("transaction" as const), by, keys, commits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("read" as const), from: place, to: place, limit, reverse: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("history" as const), key, limit, reverse: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("follow" as const), after: place }) },
);

let streams = 0;

/** Does the steps on a stream and on a list, and compares what each reads. */
async function compare(steps: readonly Step[], transactional: boolean): Promise<void> {
  const name = `model-${streams++}`;
  const options = { key: (event: Event) => event.key, retention: { maxLength: transactional ? 7 : 1_000_000 } };
  const both = keylines.map((keyline) =>
    transactional ? keyline.stream<Event>(name, { ...options, transactional: true }) : keyline.stream<Event>(name, options),
  ) as readonly Stream<Event, Event, true>[];
  const [reader] = both;
  if (!reader) return;
  const model: Event[] = [];
  const onces = new Map<string, string>();
  let next = 0;
  const make = (of: readonly string[]): Event[] => of.map((one) => ({ n: next++, key: one }));
  const idOf = async (index: number): Promise<string | undefined> => (await all(reader.read({ limit: index + 1 }))).at(index)?.id;

  for (const one of steps) {
    switch (one.kind) {
      case "append": {
        const events = make(one.keys);
        await both[one.by]?.appendMany(events);
        model.push(...events);
        break;
      }
      case "once": {
        const [event] = make([one.key]);
        if (!event) break;
        const answer = await both[one.by]?.append(event, { idempotencyKey: one.once });
        expect(answer?.appended).toBe(!onces.has(one.once));
        if (answer?.appended) model.push(event);
        expect(onces.get(one.once) ?? answer?.id).toBe(answer?.id);
        onces.set(one.once, answer?.id ?? "");
        break;
      }
      case "transaction": {
        if (!transactional) break;
        const events = make(one.keys);
        const run = keylines[one.by]?.transaction(async (tx) => {
          for (const event of events) await both[one.by]?.append(event, { tx });
          if (!one.commits) throw new Error("rolled back");
        });
        if (one.commits) {
          await run;
          model.push(...events);
        } else {
          await expect(run).rejects.toThrow("rolled back");
        }
        break;
      }
      case "lose": {
        if (!transactional) break;
        const lost = await stage.valkey.keys(`${stage.prefix}:{${name}}:*`);
        if (lost.length > 0) await stage.valkey.del(...lost);
        break;
      }
      case "read": {
        const { reverse, limit: most } = one;
        const [from, to] = [await idOf(one.from), await idOf(one.to)];
        const found = await all(reader.read({ from: from ?? "+", to: to ?? "+", limit: most, reverse }));
        const expected = model.slice(from === undefined ? model.length : one.from, to === undefined ? model.length : one.to + 1);
        expect(dataOf(found)).toEqual((reverse ? expected.toReversed() : expected).slice(0, most));
        break;
      }
      case "history": {
        const { reverse, limit: most } = one;
        const found = await reader.history(one.key, { limit: most, reverse });
        const expected = model.filter((event) => event.key === one.key).slice(-most);
        expect(dataOf(found)).toEqual(reverse ? expected.toReversed() : expected);
        break;
      }
      case "follow": {
        const after = await idOf(one.after);
        const expected = model.slice(after === undefined ? 0 : one.after + 1);
        const found: Entry<Event>[] = [];
        if (expected.length === 0) break;
        for await (const entry of reader.follow({ after: after ?? "-" })) {
          found.push(entry);
          if (found.length === expected.length) break;
        }
        expect(dataOf(found)).toEqual(expected);
      }
    }
  }
  expect(dataOf(await all(reader.read()))).toEqual(model);
  expect(dataOf(await all(reader.read({ reverse: true })))).toEqual(model.toReversed());
}

function dataOf(entries: readonly Entry<Event>[]): Event[] {
  return entries.map(({ data }) => data);
}

async function all(entries: AsyncIterable<Entry<Event>>): Promise<Entry<Event>[]> {
  const taken: Entry<Event>[] = [];
  for await (const entry of entries) taken.push(entry);
  return taken;
}

test.each([false, true])(
  "a stream reads like a list that is only ever appended to (transactional: %s)",
  async (transactional) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => compare(steps, transactional)),
      { numRuns: Number(process.env["RUNS"] ?? (transactional ? 25 : 40)) },
    );
  },
  120_000,
);
