/** Lets tests wait for what they can see, and looks again whenever something has happened. */
export class Notice {
  readonly #looks = new Set<() => void>();

  notify(): void {
    for (const look of this.#looks) look();
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }
}
