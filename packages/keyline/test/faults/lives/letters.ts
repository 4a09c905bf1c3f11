import type { Queue } from "keyline";
import { moment } from "../places/history.ts";
import { insist } from "../places/insist.ts";
import { whatKills, type LifeData } from "./scripts.ts";

/** An act on the dead letter of one job, as whoever asked for it was answered. */
export interface LetterAct {
  readonly what: "redrive" | "discard";
  /** Whether there was one. */
  readonly isTold: boolean;
  /** When it was called, and when the answer was there. */
  readonly called: number;
  readonly at: number;
  /** It was called again because its answer was lost. */
  readonly isAgain: boolean;
}

export async function actOnLetter(
  queue: Queue<LifeData, LifeData, true>,
  job: { readonly letterActs: LetterAct[] },
  { what, id }: Pick<LetterAct, "what"> & { readonly id: string },
): Promise<void> {
  let calls = 0;
  const called = moment();
  const count = await insist(() => {
    calls++;
    return queue[what]({ ids: [id] });
  });
  job.letterActs.push({ what, isTold: count === 1, called, at: moment(), isAgain: calls > 1 });
}

/** All that are there at that time, whichever these are: by what they died of. */
export function redriveAll(queue: Queue<LifeData, LifeData, true>): Promise<number> {
  return insist(() => queue.redrive({ error: whatKills }));
}
