/** What the browser remembers of its visitor; what it does not let us store is remembered for this visit alone. */
const names = { readerId: "feed-reader", author: "feed-author", followed: "feed-followed" } as const;

type Name = keyof typeof names;

export function recall(name: Name): string | undefined {
  try {
    return localStorage.getItem(names[name]) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name: Name, value: string): void {
  try {
    localStorage.setItem(names[name], value);
  } catch {
    // Nothing depends on it.
  }
}
