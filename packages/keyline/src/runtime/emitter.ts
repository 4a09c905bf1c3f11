import { toError } from "./errors.ts";
import type { Logger } from "./logger.ts";

type Listener<Arguments extends readonly unknown[]> = (...values: Arguments) => void;

/**
 * Typed events. A listener that throws is logged and does not disturb the one who emits; an event nobody listens to costs
 * one look-up.
 */
export class Emitter<Events extends { readonly [Name in keyof Events]: readonly unknown[] }> {
  readonly #listeners: { [Name in keyof Events]?: Set<Listener<Events[Name]>> } = {};
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Calls `listener` at every such event until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  hasListeners(name: keyof Events): boolean {
    return (this.#listeners[name]?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    const listeners = this.#listeners[name];
    if (!listeners) return;
    for (const listener of listeners) {
      try {
        const result: unknown = listener(...values);
        if (result instanceof Promise) result.catch((error: unknown) => this.#noteFailure(name, error));
      } catch (error) {
        this.#noteFailure(name, error);
      }
    }
  }

  #noteFailure(name: keyof Events, error: unknown): void {
    this.#logger.error({ error: toError(error).message, event: String(name) }, "a listener threw");
  }
}
