import type { Priority } from "./options.ts";

/*
 * Changes in the text of an element, so that everything else in it stays as it was written, whoever wrote it: numbers that JavaScript cannot hold, fields of
 * other programs, the history of its attempts behind its data.
 */

const beginning = /^\{(?:"attempts":\d+,)?"id":"[^"\\]+"(?:,"at":\d+(?:,"parks":\d+)?)?/;
const priorityField = /,"priority":"(?:high|normal|low)"/;
const dataField = ',"data":';

/** What stands in front of the data, and the rest; undefined where the element is not written as Keyline writes it. */
function split(raw: string): { readonly head: string; readonly rest: string } | undefined {
  const at = raw.indexOf(dataField);
  return at >= 0 && beginning.test(raw) ? { head: raw.slice(0, at), rest: raw.slice(at) } : undefined;
}

/** The element in the order of fields in which Keyline writes one: scripts read what stands in front of its data. */
export function inOrder(raw: string): string {
  if (split(raw)) return raw;
  const { attempts, id, data, ...others } = JSON.parse(raw) as Record<string, unknown>;
  return JSON.stringify({ ...(attempts === undefined ? {} : { attempts }), id, ...others, data });
}

/** Also of an element that has failed before: its history stands behind its data. */
export function withData(raw: string, dataJson: string): string {
  const span = lastValueOf(raw, "data");
  return span ? raw.slice(0, span.start) + dataJson + raw.slice(span.end) : raw;
}

export function withPriority(raw: string, priority: Priority): string {
  const parts = split(raw);
  if (!parts) return raw;
  const head = parts.head.replace(priorityField, "");
  const field = priority === "normal" ? "" : `,"priority":"${priority}"`;
  return head.replace(beginning, (begins) => begins + field) + parts.rest;
}

/** The element of a job whose data and time its row has. */
export function asLatest(raw: string): string {
  const parts = split(raw);
  return !parts || parts.head.includes(',"latest":true') ? raw : `${parts.head},"latest":true${parts.rest}`;
}

/** Where the last value of that name stands in the text of an object; it is the one that JSON.parse takes. */
function lastValueOf(text: string, name: string): { readonly start: number; readonly end: number } | undefined {
  const key = JSON.stringify(name);
  let found: { readonly start: number; readonly end: number } | undefined;
  for (let at = text.indexOf("{") + 1; at > 0 && at < text.length; at++) {
    if (text[at] !== '"') continue;
    const keyEnd = endOfString(text, at);
    const start = skipSpace(text, text.indexOf(":", keyEnd) + 1);
    const end = endOfValue(text, start);
    if (text.slice(at, keyEnd) === key) found = { start, end };
    at = end - 1;
  }
  return found;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? "")) at++;
  return at;
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const one = text[at];
    if (one === '"') at = endOfString(text, at) - 1;
    else if (one === "{" || one === "[") depth++;
    else if (one === "}" || one === "]") depth--;
    if (depth < 0 || (depth === 0 && one === ",")) return at;
    if (depth === 0 && (one === "}" || one === "]")) return at + 1;
  }
  return text.length;
}
