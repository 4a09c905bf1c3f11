/** Uses values in the order in which they were given, though some are promises: a schema may take its time. */
export class InOrder {
  #last: Promise<void> | undefined;

  /** At once, when nothing is under way. `value` never rejects. */
  use<Value>(value: Value | Promise<Value>, use: (value: Value) => void): void {
    if (!this.#last && !(value instanceof Promise)) {
      use(value);
      return;
    }
    const turn = (this.#last ?? Promise.resolve()).then(async () => use(await value));
    this.#last = turn;
    void turn.finally(() => {
      if (this.#last === turn) this.#last = undefined;
    });
  }
}
