/** Where an iteration gets its values from. */
interface Source<Value> {
  next(): Promise<IteratorResult<Value, undefined>>;
  /** Everything that waits in `next` is answered that there is no more, and so is what comes later. */
  close(): void;
}

/**
 * What public iterations hand out. Not an async generator: a generator that waits answers neither `return` nor `throw` before what it
 * waits for has come, which may be never.
 */
export class Iteration<Value> implements AsyncIterableIterator<Value, undefined, void>, AsyncDisposable {
  readonly #source: Source<Value>;

  constructor(source: Source<Value>) {
    this.#source = source;
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    return this.#source.next();
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.#source.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<never> {
    this.#source.close();
    // As a generator does: whatever was thrown.
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.close();
  }
}
