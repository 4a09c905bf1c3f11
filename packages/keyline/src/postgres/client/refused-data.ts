import { KeylineError } from "../../runtime/errors.ts";

/** PostgreSQL refused what one of several had in a statement: the others can go without it. */
export function isOnesOwn(error: unknown): boolean {
  return /^(22|23|44|54|P0)/.test(codeOf(error));
}

/**
 * The error of a statement that wrote `fields`, which says which of them PostgreSQL cannot store: a database whose encoding is not UTF8 has not every character,
 * and what is nested too deeply, or is too large, is refused too.
 */
export function nameRefused(error: unknown, subject: string, fields: Readonly<Record<string, string | undefined>>): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || !/^(22P05|22021|54...)$/.test(code)) return error;
  const character = characterIn(error.message);
  const field = Object.keys(fields).find((name) => character !== "" && fields[name]?.includes(character)) ?? "data";
  return new KeylineError("NOT_STORABLE", `PostgreSQL cannot store the ${field} for ${subject} (${error.message}): it was not written`, {
    cause: error,
  });
}

/** Writes a text for people to read; where the database does not have all of its characters, without those. */
export async function withStorableText<Result>(text: string, write: (text: string) => Promise<Result>): Promise<Result> {
  try {
    return await write(text);
  } catch (error) {
    if (!/^(22P05|22021)$/.test(codeOf(error))) throw error;
    return write(text.replaceAll(/[^\n -~]/gu, "?"));
  }
}

/** The one that an error tells by its bytes, as in 0xf0 0x9f 0x98 0x80. */
function characterIn(message: string): string {
  const bytes = /0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*/.exec(message)?.[0] ?? "";
  return Buffer.from(bytes.replaceAll(/0x| /g, ""), "hex").toString();
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
