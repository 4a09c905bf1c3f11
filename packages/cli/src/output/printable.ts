// Payloads and errors come from anywhere: what a terminal takes as a command, or what turns the direction of a line, is shown and not done.
const unprintable = /(?![\t\n])\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
// JSON.stringify leaves these as they are.
const unescaped = /(?![\t\n])\p{Cc}|[\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

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
