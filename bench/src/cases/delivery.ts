/** Throws unless a count is exactly what it must be: a case that lost or repeated a job has no figure. */
export function expectExactly(what: string, expected: number, found: number): void {
  if (found !== expected) throw new Error(`${what}: expected ${expected}, found ${found}.`);
}
