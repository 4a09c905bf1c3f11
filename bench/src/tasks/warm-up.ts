import { openPlainQueue, type PlainQueueOptions } from "../contenders/plain-queue.ts";
import { Ledger } from "./ledger.ts";

const wave = 1_000;

export interface WarmUp {
  readonly contender: string;
  readonly options: PlainQueueOptions;
  readonly jobs: number;
  readonly concurrency: number;
}

/** Adds and processes jobs on a queue of its own, so that what is measured next runs compiled code on a settled heap. */
export async function warmUp({ contender, options, jobs, concurrency }: WarmUp): Promise<void> {
  const queue = await openPlainQueue(contender, { ...options, name: `${options.name}-warm-up` });
  let ledger = new Ledger(0, 0);
  const worker = await queue.work((seq) => ledger.record(seq), concurrency);
  for (let from = 0; from < jobs; from += wave) {
    const to = Math.min(from + wave, jobs);
    ledger = new Ledger(from, to);
    await queue.addRange({ from, to }, wave);
    await ledger.complete();
  }
  await worker.stop();
  await queue.close();
}
