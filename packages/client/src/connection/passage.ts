import type { Environment } from "../runtime/environment.ts";

// How long event streams stand in before a WebSocket is tried again.
const standInMs = 60_000;
const answerMs = 5_000;

/**
 * Finds out whether the gateway can be reached while WebSockets cannot. A browser tells nobody why a WebSocket failed; but a gateway that is asked over
 * HTTP for what takes WebSockets says that it wants an upgrade. When it has said so, and the next WebSocket fails too, something on the
 * way does not pass the upgrade on.
 */
export class Passage {
  /** The gateway's address over HTTP, with a slash at its end. */
  readonly url: string;
  readonly #environment: Environment;
  #wasAnswered = false;
  #isBlocked = false;
  #triedAt = -Infinity;
  #asking: AbortController | undefined;

  constructor(url: string, environment: Environment) {
    this.url = url.replace(/^ws(.*\/)ws.*/, "http$1");
    this.#environment = environment;
  }

  /** In how many milliseconds to try a WebSocket: until then event streams are used instead. */
  get restMs(): number {
    return this.#isBlocked ? this.#triedAt + standInMs - this.#environment.now() : 0;
  }

  /** A WebSocket brought the gateway's greeting, or not. Resolves with true when WebSockets turn out to be blocked, and did not before. */
  async note(isGreeted: boolean): Promise<boolean> {
    this.#triedAt = this.#environment.now();
    const isAnswered = !isGreeted && (await this.isAnswered());
    const isNew = isAnswered && this.#wasAnswered && !this.#isBlocked;
    // A gateway that is away at the moment is one that was blocked before.
    this.#isBlocked = isNew || (this.#isBlocked && !isGreeted);
    this.#wasAnswered = isAnswered;
    return isNew;
  }

  /** Whether the gateway answers over HTTP. */
  async isAnswered(): Promise<boolean> {
    const stop = (this.#asking = new AbortController());
    const cancel = this.#environment.after(answerMs, () => stop.abort());
    try {
      const response = await this.#environment.fetch(`${this.url}ws`, { cache: "no-store", signal: stop.signal });
      return ((await response.json()) as { readonly code?: string }).code === "UPGRADE_REQUIRED";
    } catch {
      return false;
    } finally {
      cancel();
    }
  }

  /** Whoever waits for an answer over a network that was another one waits no longer. */
  wake(): void {
    this.#asking?.abort();
  }
}
