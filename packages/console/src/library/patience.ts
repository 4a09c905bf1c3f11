import { Refusal } from "../http/refusal.ts";

const late = Symbol("late");

/** Rejects with a refusal when it takes longer. What was asked goes on, and nobody waits for it. */
export async function patiently<Result>(answer: Promise<Result>, ms: number): Promise<Result> {
  const result = await raced(answer, ms);
  if (result !== late) return result;
  const detail = `There was no answer within ${ms / 1_000} s: the page of health says how both stores are`;
  throw new Refusal({ status: 503, code: "STORE_AWAY", title: "A store does not answer", detail });
}

/** How long one request waits for stores, all in all: each of its questions has what is left of it. */
export class Patience {
  readonly #endsAt: number;

  constructor(ms = 2_000) {
    this.#endsAt = performance.now() + ms;
  }

  get isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** The answer; undefined where a store is away, fails or takes too long. */
  async for<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
    if (this.isOver) return undefined;
    try {
      const result = await raced(ask(), this.#endsAt - performance.now());
      return result === late ? undefined : result;
    } catch {
      return undefined;
    }
  }
}

async function raced<Result>(answer: Promise<Result>, ms: number): Promise<Result | typeof late> {
  // It may fail when nobody waits for it any more.
  answer.catch(() => undefined);
  const timeout = Promise.withResolvers<typeof late>();
  const timer = setTimeout(() => timeout.resolve(late), ms);
  try {
    return await Promise.race([answer, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
