import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { SignalKind } from "../../valkey/queue/signals.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";

const all: ReadonlySet<SignalKind> = new Set(["due", "gates", "ticks", "tracked", "cancel", "family", "watched"]);

/**
 * The duty that hears what a worker has to know at once, and not with the next renewal of its lease. All workers of a process wait on one
 * connection. A signal says that there is something to look at, and nothing that must not be lost: whoever missed some looks.
 */
export class SignalWatch implements ShiftDuty<unknown, unknown> {
  readonly #store: QueueStore;
  readonly #tails: StreamTails;
  readonly #logger: Logger;
  readonly #onSignals: (kinds: ReadonlySet<SignalKind>) => void;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(
    store: QueueStore,
    parts: { readonly tails: StreamTails; readonly logger: Logger; readonly onSignals: (kinds: ReadonlySet<SignalKind>) => void },
  ) {
    this.#store = store;
    this.#tails = parts.tails;
    this.#logger = parts.logger;
    this.#onSignals = parts.onSignals;
  }

  start(): void {
    this.#loop = this.#watch(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { connection, signals } = this.#store;
    let last: string | undefined;
    for (let failures = 0; !signal.aborted;) {
      try {
        if (!(await connection.whenReady(60_000, signal))) continue;
        const found = await signals.read();
        // At the beginning, and where some are missing: nothing is known of what went before.
        const index = found.findIndex(({ id }) => id === last);
        const isUnbroken = last === "0-0" ? found.length === 0 : index >= 0;
        last = found.at(-1)?.id ?? "0-0";
        const news = found.slice(index + 1);
        if (!isUnbroken) this.#onSignals(all);
        else if (news.length > 0) this.#onSignals(new Set(news.map(({ kind }) => kind as SignalKind)));
        failures = 0;
        await this.#tails.whenAfter(signals.key, last, signal);
      } catch (error) {
        this.#logger.debug({ error: toError(error).message }, "signals could not be read; it is tried again");
        await delay(retryDelay(failures++, { first: 50, max: 1_000 }), signal);
      }
    }
  }
}
