import { Refusal } from "../http/refusal.ts";

export type Store = "valkey" | "postgres";

/** Which stores are known not to answer. */
export interface Outages {
  isAway(store: Store): boolean;
}

const late = Symbol("late");
/** So long it takes the store that is there to answer what it can answer alone. */
const awayMs = 500;
/** A store may go while somebody waits for it. */
const lookMs = 250;

/** Rejects with a refusal when it takes longer, or a store is known to be away. What was asked goes on, and nobody waits for it. */
export async function patiently<Result>(outages: Outages, answer: Promise<Result>, ms: number): Promise<Result> {
  const result = await raced(answer, ms, outages);
  if (result !== late) return result;
  const away = awayOf(outages);
  const detail =
    away === undefined
      ? `There was no answer within ${ms / 1_000} s: the page of health says how both stores are`
      : `${away} is away, and what is asked for is not known without it`;
  throw new Refusal({ status: 503, code: "STORE_AWAY", title: "A store does not answer", detail });
}

/** How long one request waits for stores, all in all: each of its questions has what is left of it. */
export class Patience {
  readonly #endsAt: number;
  readonly #outages: Outages;

  constructor(outages: Outages, ms = 2_000) {
    this.#outages = outages;
    this.#endsAt = performance.now() + ms;
  }

  /** The answer; undefined where a store is away, fails or takes too long. It is not asked for where one that it `needs` is known to be away. */
  async for<Result>(ask: () => Promise<Result>, needs?: Store): Promise<Result | undefined> {
    const left = this.#endsAt - performance.now();
    if (left <= 0 || (needs && this.#outages.isAway(needs))) return undefined;
    try {
      const result = await raced(ask(), left, this.#outages);
      return result === late ? undefined : result;
    } catch {
      return undefined;
    }
  }
}

async function raced<Result>(answer: Promise<Result>, ms: number, outages: Outages): Promise<Result | typeof late> {
  // It may fail when nobody waits for it any more.
  answer.catch(() => undefined);
  const timeout = Promise.withResolvers<typeof late>();
  const startedAt = performance.now();
  const look = (): void => {
    const waited = performance.now() - startedAt;
    const left = (awayOf(outages) === undefined ? ms : Math.min(ms, awayMs)) - waited;
    if (left <= 0) timeout.resolve(late);
    else timer = setTimeout(look, Math.min(lookMs, left));
  };
  let timer = setTimeout(look, Math.min(lookMs, ms));
  try {
    return await Promise.race([answer, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function awayOf(outages: Outages): string | undefined {
  if (outages.isAway("valkey")) return "Valkey";
  return outages.isAway("postgres") ? "PostgreSQL" : undefined;
}
