import fc from "fast-check";
import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { LineModel } from "./line-model.ts";

let stage: Stage;

beforeAll(async () => void (stage = await openStage()));
afterAll(() => stage.close());

const groups = ["a", "b", "c c"];

/** One of those that can be meant. */
interface Pick {
  readonly kind: "finish" | "cancel" | "promote" | "update";
  readonly pick: number;
}

type Operation =
  | { readonly kind: "pause" | "resume"; readonly group: string }
  | { readonly kind: "add"; readonly group: string; readonly isDelayed: boolean; readonly count: number }
  | Pick
  | { readonly kind: "add together"; readonly of: readonly string[] }
  | { readonly kind: "latest"; readonly group: string; readonly key: string }
  | { readonly kind: "finish all" }
  | { readonly kind: "cancel group"; readonly group: string }
  | { readonly kind: "limit"; readonly limit: number };

const group = fc.constantFrom(...groups);
const pick = fc.nat(1_000);

/** Where several run at a time whoever waits for its own time is not in the line. */
function operations(isChanging: boolean): fc.Arbitrary<Operation> {
  const add = fc.record({
    kind: fc.constant("add" as const),
    group,
    isDelayed: isChanging ? fc.constant(false) : fc.integer({ min: 0, max: 5 }).map((die) => die === 0),
    count: fc.integer({ min: 1, max: 4 }),
  });
  return fc.oneof(
    { weight: 5, arbitrary: add },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("add together" as const), of: fc.array(group, { minLength: 1, maxLength: 8 }) }),
    },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("finish" as const), pick }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("cancel" as const, "promote" as const, "update" as const), pick }) },
    { weight: 3, arbitrary: fc.constant({ kind: "finish all" as const }) },
    {
      weight: isChanging ? 0 : 2,
      arbitrary: fc.record({ kind: fc.constant("latest" as const), group, key: fc.constantFrom("k", "l") }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel group" as const), group }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const, "resume" as const), group }) },
    { weight: isChanging ? 2 : 0, arbitrary: fc.record({ kind: fc.constant("limit" as const), limit: fc.integer({ min: 1, max: 3 }) }) },
  );
}

/** A queue whose jobs run until they are told to end, beside the model of it. */
class Line {
  readonly #model = new LineModel();
  readonly #running = new Map<string, () => void>();
  readonly #began: string[] = [];
  readonly #cancelled: string[] = [];
  readonly #added: string[] = [];
  readonly #latest = new Map<string, string>();
  readonly #queue: Queue<number>;
  readonly #worker: { stop(): Promise<void> };

  constructor(queue: Queue<number>) {
    this.#queue = queue;
    this.#worker = queue.work(
      async ({ id }) => {
        this.#began.push(id);
        await new Promise<void>((resolve) => this.#running.set(id, resolve));
        this.#running.delete(id);
      },
      { concurrency: 200 },
    );
  }

  async apply(operation: Operation): Promise<void> {
    const model = this.#model;
    if (operation.kind === "add") {
      const options = { group: operation.group, ...(operation.isDelayed && { delay: 3_600_000 }) };
      for (let count = 0; count < operation.count; count++) {
        const id = await this.#add(options, count % 2 === 1);
        model.add(operation.group, { id, isDelayed: operation.isDelayed });
      }
    } else if (operation.kind === "add together") {
      const added = await this.#queue.addMany(operation.of.map((group) => ({ data: 0, group })));
      added.forEach(({ id }, index) => {
        this.#added.push(id);
        model.add(operation.of[index] ?? "", { id, isDelayed: false });
      });
    } else if (operation.kind === "latest") {
      await this.#addLatest(operation);
    } else if (operation.kind === "pause" || operation.kind === "resume") {
      await this.#queue[operation.kind]({ group: operation.group });
      model.pause(operation.group, operation.kind === "pause");
    } else if (operation.kind === "limit") {
      await this.#queue.setLimits({ group: { concurrency: operation.limit } });
      model.setLimit(operation.limit);
    } else if (operation.kind === "cancel group") {
      const waiting = model.line(operation.group);
      for (const id of waiting) await this.#cancel(id);
    } else if (operation.kind === "finish all") {
      // Together, so that they end in one step.
      const ids = model.running();
      for (const id of ids) this.#running.get(id)?.();
      model.removeAll(ids);
    } else if ("pick" in operation) {
      await this.#act(operation);
    }
    await this.#agree();
  }

  /** With an id of Keyline's own, or one of a few that nobody has by now. */
  async #add(options: { readonly group: string; readonly delay?: number }, hasOwnId: boolean): Promise<string> {
    const taken = new Set(this.#model.ids());
    const own = Array.from({ length: taken.size + 3 }, (_, number) => `id:${number}`).filter((id) => !taken.has(id));
    const ownId = own[this.#added.length % own.length];
    const { id } = await this.#queue.add(0, hasOwnId && ownId !== undefined ? { ...options, id: ownId } : options);
    this.#added.push(id);
    return id;
  }

  /** A debounce: the data and the time of the one with this key that is still to come are replaced. */
  async #addLatest({ group, key }: { readonly group: string; readonly key: string }): Promise<void> {
    const before = this.#latest.get(key);
    const isThere = before !== undefined && this.#model.isDelayed(before);
    const { id, added } = await this.#queue.add(0, { group, deduplicate: { key, window: 3_600_000, keep: "latest" } });
    expect({ added, ...(isThere && { id }) }).toEqual(isThere ? { added: false, id: before } : { added: true });
    if (!added) return;
    this.#latest.set(key, id);
    this.#added.push(id);
    this.#model.add(group, { id, isDelayed: true });
  }

  async #act({ kind, pick }: Pick): Promise<void> {
    const ids = kind === "finish" ? this.#model.running() : this.#model.ids().filter((id) => this.#model.placeOf(id) !== "running");
    const id = ids[pick % ids.length];
    if (id === undefined) return;
    if (kind === "finish") {
      this.#running.get(id)?.();
      this.#model.remove(id);
    } else if (kind === "cancel") await this.#cancel(id);
    else if (kind === "promote") {
      await this.#queue.promote(id);
      this.#model.promote(id);
    } else await this.#queue.update(id, { data: pick });
  }

  async #cancel(id: string): Promise<void> {
    expect(await this.#queue.cancel(id)).toBe(this.#model.placeOf(id) === "delayed" ? "scheduled" : "waiting");
    this.#cancelled.push(id);
    this.#model.remove(id);
  }

  async #agree(): Promise<void> {
    const model = this.#model;
    await eventually("what is to run runs", () => String([...this.#running.keys()].sort()) === String(model.running()));
    const found = new Map<string, number>();
    for await (const { name, waiting } of this.#queue.groups()) found.set(name, waiting);
    for (const name of groups) {
      const line = model.line(name);
      expect(found.get(name) ?? 0).toBe(line.length);
      const ids: string[] = [];
      for await (const { id } of this.#queue.jobs({ state: "blocked", group: name })) ids.push(id);
      expect(ids.sort()).toEqual([...line].sort());
    }
    expect((await this.#queue.counts()).blocked).toBe(groups.flatMap((name) => model.line(name)).length);
  }

  /** All that is left runs to its end. */
  async end(): Promise<void> {
    for (const name of groups) if (this.#model.isPaused(name)) await this.apply({ kind: "resume", group: name });
    for (const id of this.#model.ids()) await this.#queue.promote(id);
    for (const id of this.#model.ids()) this.#model.promote(id);
    await this.#agree();
    while (this.#model.running().length > 0) await this.apply({ kind: "finish all" });
    expect([...this.#began, ...this.#cancelled].sort()).toEqual([...this.#added].sort());
  }

  async stop(): Promise<void> {
    for (const finish of this.#running.values()) finish();
    await this.#worker.stop();
  }
}

test.each([
  { of: "one at a time", isChanging: false },
  { of: "as many as the last limit says", isChanging: true },
])(
  "whatever is done to them, jobs of a group run in their order, $of, and its line is what a list would be",
  async ({ isChanging }) => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operations(isChanging), { minLength: 10, maxLength: 60 }), async (all) => {
        const name = `random-${isChanging}-${runs++}`;
        const line = new Line(stage.keyline().queue<number>(name));
        try {
          for (const operation of all) await line.apply(operation);
          await line.end();
        } finally {
          await line.stop();
        }
        const left = ["grouped", "lines", "line:a", "line:b", "line:c c", "waiting"].map((key) => `${stage.prefix}:{${name}}:${key}`);
        expect(await stage.valkey.exists(...left)).toBe(0);
      }),
      { numRuns: 30, endOnFailure: true },
    );
  },
  240_000,
);
