// So much of a reason is looked at, so that a hostile one costs no more than another.
const mostLooked = 500;
const longestCause = 200;

const typePattern = /^[A-Za-z_$][\w$.]*: /;
// Of an apostrophe within a word nothing begins, and nothing ends with it.
const quotedPattern = /(?<!\w)(["'`])(?:(?!\1(?!\w)).){0,200}\1(?!\w)/gs;
const wordPattern = /[\w-]+/g;
const signsPattern = /#(?:[.:,/@+-]*#)*/g;

/**
 * What several letters died of: the reason with its code or name as it is, and behind that with one sign for each number, id and quoted text, in which reasons of one cause differ.
 *
 * @example
 * causeOf('TypeError: no user "ann" in 12 rows') // TypeError: no user "…" in # rows
 */
export function causeOf(reason: string): string {
  const looked = reason.slice(0, mostLooked);
  const type = typePattern.exec(looked)?.[0] ?? "";
  const message = looked
    .slice(type.length)
    .replaceAll(quotedPattern, (_, quote: string) => `${quote}…${quote}`)
    .replaceAll(wordPattern, (word) => (/\d/.test(word) ? "#" : word))
    .replaceAll(signsPattern, "#")
    .replaceAll(/\s+/g, " ")
    .trim();
  return `${type}${message}`.slice(0, longestCause).trim().toWellFormed();
}
