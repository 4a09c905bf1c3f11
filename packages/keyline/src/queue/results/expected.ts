const most = 10_000;

/**
 * Jobs that this process has added while it followed what ends, and whose end it has not heard yet: whoever waits for one of them need not look whether it has ended
 * before. Their ids are Keyline's, so nobody can ask for one before its add was answered.
 */
export class Expected {
  /** Undefined while nothing is followed. */
  #ids: Set<string> | undefined;

  /** From here on every end is heard. */
  open(): void {
    this.#ids = new Set();
  }

  close(): void {
    this.#ids = undefined;
  }

  /** It is about to be added. */
  note(id: string): void {
    if (!this.#ids) return;
    this.#ids.add(id);
    if (this.#ids.size <= most) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  /** Whether its end is still to come; asked once. */
  take(id: string): boolean {
    return this.#ids?.delete(id) ?? false;
  }

  /** Some ends may not have been heard. */
  forget(): void {
    this.#ids?.clear();
  }
}
