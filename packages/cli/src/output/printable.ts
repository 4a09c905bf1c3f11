// Payloads and errors come from anywhere: what a terminal takes as a command, or what turns the direction of a line, is shown and not done.
// oxlint-disable-next-line no-control-regex -- they are what is replaced
const unprintable = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// oxlint-disable-next-line no-control-regex -- JSON.stringify leaves them as they are
const unescaped = /[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text that is safe on a terminal; its lines stay lines. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, escaped);
}

/** The same on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/[\t\n\r\v\f]+/g, " "));
}

/** JSON on one line, safe on a terminal. */
export function jsonLine(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replaceAll(unescaped, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
