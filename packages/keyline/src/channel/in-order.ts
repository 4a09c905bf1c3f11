/** Uses values in the order in which they were given, though some are promises: a schema may take its time. */
export class InOrder {
  #last: Promise<void> | undefined;

  /** At once, when nothing is under way. Neither does `value` reject nor `use` throw; should they, what comes after is used all the same. */
  use<Value>(value: Value | Promise<Value>, use: (value: Value) => void): void {
    if (!this.#last && !(value instanceof Promise)) {
      use(value);
      return;
    }
    const last = this.#last ?? Promise.resolve();
    const turn: Promise<void> = last
      .then(async () => use(await value))
      .catch(() => undefined)
      .finally(() => {
        if (this.#last === turn) this.#last = undefined;
      });
    this.#last = turn;
  }
}
