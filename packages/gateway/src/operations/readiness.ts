import { KeylineError, type Keyline } from "keyline";

export interface Readiness {
  readonly valkey: "ok" | "away";
  /** `unused`: this Keyline was given none. */
  readonly postgres: "ok" | "away" | "unused";
}

const patienceMs = 2_000;
const freshMs = 1_000;

/** Asks both stores, once a second at the most: whoever asks the gateway needs no token. */
export class ReadinessCheck {
  readonly #keyline: Keyline;
  #last: { readonly at: number; readonly answer: Promise<Readiness> } | undefined;

  constructor(keyline: Keyline) {
    this.#keyline = keyline;
  }

  read(): Promise<Readiness> {
    const now = Date.now();
    if (!this.#last || now - this.#last.at > freshMs) this.#last = { at: now, answer: this.#ask() };
    return this.#last.answer;
  }

  async #ask(): Promise<Readiness> {
    const [valkey, postgres] = await Promise.all([answers(() => this.#askValkey()), this.#askPostgres()]);
    return { valkey: valkey ? "ok" : "away", postgres };
  }

  // With a key, so that a cluster knows which of its nodes is meant.
  #askValkey(): Promise<unknown> {
    return this.#keyline.command("EXISTS", `${this.#keyline.prefix}:gateway:ready`);
  }

  async #askPostgres(): Promise<Readiness["postgres"]> {
    let isUnused = false;
    const isThere = await answers(async () => {
      try {
        await this.#keyline.transaction(async (tx) => tx.query("SELECT 1"));
      } catch (error) {
        isUnused = error instanceof KeylineError && error.code === "POSTGRES_REQUIRED";
        throw error;
      }
    });
    if (isUnused) return "unused";
    return isThere ? "ok" : "away";
  }
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, patienceMs, false);
  try {
    const asked = Promise.resolve().then(ask);
    return await Promise.race([
      asked.then(
        () => true,
        () => false,
      ),
      promise,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
