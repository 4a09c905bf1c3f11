/** Fields whose names have one of these words are hidden everywhere, as in `accessToken`, `card_number` and `X-Authorization`. */
export const builtInNames = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "authorization",
  "cookie",
  "credential",
  "apikey",
  "card",
  "cvc",
  "cvv",
  "iban",
] as const;

const words = new Set<string>(builtInNames.flatMap((name) => [name, `${name}s`]));
// At the end of a longer word these still mean the same, as in `accesstoken`; "card" does not, as in `discard`.
const endings = builtInNames.flatMap((name) => (name === "card" || name.length < 5 ? [] : [name, `${name}s`]));
const longestName = 200;

/** True for a name that says that what it names is nobody's business. */
export function isSecretName(name: string): boolean {
  if (name.length > longestName) return false;
  const parts = name
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z\d]+/);
  if (parts.some((part) => words.has(part) || endings.some((ending) => part.endsWith(ending)))) return true;
  // `api_key`, `apiKey`, `credit-card`
  return parts.some((part, index) => words.has(`${part}${parts[index + 1] ?? ""}`));
}
