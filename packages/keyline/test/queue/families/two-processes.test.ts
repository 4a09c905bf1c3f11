import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline, Queue } from "keyline";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { openStage, type Stage } from "../../support/stage.ts";

type Data = { readonly n: number; readonly family: string };
type Family = Queue<Data, Data, true>;

const rounds = 25;
const many = 60;

let stage: Stage;
let keyline: Keyline;
const processes: TestProcess[] = [];
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(async () => {
  for (const one of processes) one.signal("SIGKILL");
  await Promise.all(processes.map(({ exited }) => exited));
  await stage.close();
});

describe.each([{ transactional: false }, { transactional: true }])("of a family (transactional: $transactional)", ({ transactional }) => {
  const open = (name: string): Family =>
    keyline.queue<Data>(`${name}-${transactional}`, { transactional, keepResult: 60_000, lease: 1_000, maxAttempts: 3 } as {
      transactional: true;
    });

  function startTwo(children: Family, together?: number): readonly TestProcess[] {
    const { valkeyUrl: valkey, databaseUrl: postgres, prefix } = stage;
    const settings = { valkey, postgres, prefix, queue: children.name, transactional, ...(together !== undefined && { together }) };
    const two = [0, 1].map(() => startProcess("family-worker.ts", settings));
    processes.push(...two);
    return two;
  }

  /** Of the parents' queue: how often each ran, and what its children came to. */
  function work(parents: Family): { readonly runs: Map<string, number>; stop(): Promise<void> } {
    const runs = new Map<string, number>();
    const worker = parents.work(
      async (job) => {
        runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
        const values: unknown[] = [];
        for await (const { value } of job.children()) values.push(value);
        return values;
      },
      { concurrency: 10 },
    );
    return { runs, stop: () => worker.stop() };
  }

  const add = (parents: Family, children: Family, n: number): Promise<{ readonly id: string }> => {
    const family = `${parents.name} ${n}`;
    const below = [0, 1].map((one) => ({ queue: children, data: { n: one, family } }));
    return parents.add({ n, family }, { children: below });
  };

  test("the last two children end at the same instant in two processes: their parent runs once, over and over", async () => {
    const [parents, children] = [open("parents"), open("children")];
    const pids = startTwo(children, 2).map(({ child }) => child.pid);
    const { runs, stop } = work(parents);
    const added: string[] = [];
    for (let n = 0; n < rounds; n++) {
      const { id } = await add(parents, children, n);
      const values = (await parents.waitFor(id, { timeout: 60_000 })) as number[];
      expect(values.toSorted((a, b) => a - b)).toEqual(pids.toSorted((a = 0, b = 0) => a - b));
      added.push(id);
    }
    await stop();
    expect(runs).toEqual(new Map(added.map((id) => [id, 1])));
  }, 120_000);

  test("many end in two processes: each parent runs once", async () => {
    const [parents, children] = [open("many-parents"), open("many-children")];
    startTwo(children);
    const { runs, stop } = work(parents);
    const added = await Promise.all(Array.from({ length: many }, (_, n) => add(parents, children, n)));
    const values = await Promise.all(added.map(({ id }) => parents.waitFor(id, { timeout: 60_000 })));
    expect(values).toEqual(added.map(() => [0, 1]));
    await stop();
    expect(runs).toEqual(new Map(added.map(({ id }) => [id, 1])));
  }, 120_000);
});
