import { call } from "./call.ts";

/** Typed events with one value each. */
export class Emitter<Events extends object> {
  readonly #listeners: { [Name in keyof Events]?: Set<(value: Events[Name]) => void> } = {};

  /** Calls `listener` at every such event until the returned function is called. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = (this.#listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of this.#listeners[name] ?? []) call(listener, value);
  }
}
