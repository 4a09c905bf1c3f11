/** Longer lines are folded: a browser takes seconds for one of a million characters. */
const longestLine = 400;

/** JSON as lines that are short enough to be drawn one by one. */
export function linesOf(value: unknown): string[] {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value, null, 2) ?? "undefined");
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.length <= longestLine) lines.push(line);
    else for (let at = 0; at < line.length; at += longestLine) lines.push(line.slice(at, at + longestLine));
  }
  return lines;
}

export interface Piece {
  readonly text: string;
  readonly kind: "key" | "string" | "number" | "word" | undefined;
}

const token = /("(?:[^"\\]|\\.)*"?)(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

/** A line in the pieces that have a colour. */
export function piecesOf(line: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of line.matchAll(token)) {
    if (match.index > end) pieces.push({ text: line.slice(end, match.index), kind: undefined });
    const [whole, quoted, colon, number] = match;
    pieces.push({
      text: whole,
      kind: quoted !== undefined ? (colon === undefined ? "string" : "key") : number === undefined ? "word" : "number",
    });
    end = match.index + whole.length;
  }
  if (end < line.length) pieces.push({ text: line.slice(end), kind: undefined });
  return pieces;
}
