/** Throws unless a count is exactly what it must be: a case that lost or repeated a job has no figure. */
export function expectExactly(what: string, expected: number, found: number): void {
  if (found !== expected) throw new Error(`${what}: expected ${expected}, found ${found}.`);
}

/** Throws when a message was missing, came twice or came out of order. */
export function expectRegular({ irregularity }: { readonly irregularity: string | undefined }): void {
  if (irregularity !== undefined) throw new Error(irregularity);
}
