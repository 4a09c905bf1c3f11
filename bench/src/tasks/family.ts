import type { FamilyQueueOptions } from "../contenders/family-queue.ts";
import { openFamilyQueue } from "../contenders/open-family-queue.ts";
import type { Task } from "../process/stage.ts";
import { Ledger } from "./ledger.ts";

export interface FamilyParams {
  readonly contender: string;
  readonly options: FamilyQueueOptions;
  readonly children: number;
  /** How many children a family before that has, so that compiled code is measured. */
  readonly lead: number;
}

export interface FamilyTimes {
  readonly addMs: number;
  /** From the start of the workers until the parent runs, or all have run where there is none. */
  readonly endMs: number;
}

/** Adds a family, then ends it. */
export const family: Task<
  FamilyParams,
  FamilyTimes,
  { readonly distinct: number; readonly repeated: number; readonly early: number; readonly values: number; readonly distinctValues: number }
> = async ({ contender, options, children, lead }, stage) => {
  const queue = await openFamilyQueue(contender, options);
  const ledger = new Ledger(0, lead + children);
  let expected = lead;
  let early = 0;
  let values: readonly number[] = [];
  let run = Promise.withResolvers<void>();
  let given = Promise.withResolvers<void>();
  const start = () =>
    queue.work({
      child: (seq) => {
        ledger.record(seq);
        if (options.isWithoutParent && ledger.distinct === expected) run.resolve();
      },
      parent: () => {
        if (ledger.distinct < expected) early++;
        run.resolve();
      },
      values: (of) => {
        values = of;
        given.resolve();
      },
    });
  await queue.add(0, lead);
  let worker = await start();
  await Promise.all([run.promise, options.isWithoutParent ? undefined : given.promise]);
  await worker.stop();
  [run, given] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  expected += children;
  await stage.measure(async () => {
    const before = performance.now();
    await queue.add(lead, children);
    const between = performance.now();
    worker = await start();
    await Promise.race([run.promise, ledger.reach(expected).then(() => run.promise)]);
    return { addMs: between - before, endMs: performance.now() - between };
  });
  if (!options.isWithoutParent) await given.promise;
  await worker.stop();
  await queue.close();
  const { distinct, repeated } = ledger;
  return { distinct, repeated, early, values: values.length, distinctValues: new Set(values).size };
};
