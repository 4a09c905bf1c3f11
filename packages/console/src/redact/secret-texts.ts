/** Stands where something is hidden. */
export const hidden = "[hidden]";

// A name that begins a word, and what parts it from its value.
const named = /(?<![\w.-])([A-Za-z_][\w.-]{0,80})\\{0,3}["']?\s{0,4}[:=]\s{0,4}/g;
// The value: in quotation marks, which may be escaped, or up to where words end. It is looked for behind names of secrets alone, as it may be long.
const valued =
  /\[hidden\]|\\{1,3}"[^"\\]*\\{1,3}"|"(?:[^"\\]|\\.)*"|'[^']*'|(?:bearer|basic|digest|token)\s+[^\s,;"'}\])]+|[^\s,;&"'}\])]+/iy;
// Both have blanks in their values.
const headers = /(?<![\w.-])((?:set-)?cookie2?|(?:proxy-)?authorization)(\s{0,4}[:=]\s{0,4})(?!\s)([^"'\r\n][^\r\n]*)/gi;
const bearer = /\b(bearer\s+)[\w.~+/=-]{8,}/gi;
const jsonWebToken = /\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g;
const inUrl = /([a-z][a-z\d+.-]{0,30}:\/\/[^\s/:@"']{0,200}:)[^\s/@"']{1,200}@/gi;

/** The text without the values of what is named like a secret in it: `name=value`, `name: value`, JSON, headers, URLs, tokens. */
export function hideInText(text: string, isHidden: (name: string) => boolean): string {
  if (text.length < 5) return text;
  let shown = text;
  if (shown.includes("://")) shown = shown.replace(inUrl, `$1${hidden}@`);
  if (shown.includes("eyJ")) shown = shown.replace(jsonWebToken, hidden);
  if (!/[:=]|bearer/i.test(shown)) return shown;
  shown = shown.replace(headers, (_all, name: string, between: string) => `${name}${between}${hidden}`);
  shown = hideNamed(shown, isHidden);
  return shown.replace(bearer, `$1${hidden}`);
}

function hideNamed(text: string, isHidden: (name: string) => boolean): string {
  let shown = "";
  let from = 0;
  named.lastIndex = 0;
  for (let match = named.exec(text); match; match = named.exec(text)) {
    if (!isHidden(match[1] ?? "")) continue;
    const valueAt = named.lastIndex;
    valued.lastIndex = valueAt;
    const value = valued.exec(text)?.[0] ?? "";
    if (value === "") continue;
    const quote = /^\\*["']/.exec(value)?.[0] ?? "";
    shown += `${text.slice(from, valueAt)}${value === hidden ? value : `${quote}${hidden}${quote}`}`;
    from = valueAt + value.length;
    named.lastIndex = from;
  }
  return shown + text.slice(from);
}
