/** What a field `datetime-local` shows of a time: by the reader's clock. */
export function localTimeField(at: number): string {
  const own = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return own.toISOString().slice(0, 19);
}

export function timeOfField(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
