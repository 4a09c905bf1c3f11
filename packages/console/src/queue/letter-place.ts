import type { DeadLetter } from "keyline";
import { z } from "zod";
import { Refusal } from "../http/refusal.ts";

/** Where a page of dead letters ended: at this time of death, with these of the same time among what was read. */
interface LetterPlace {
  readonly at: number;
  readonly ids: readonly string[];
}

const place = z.object({ at: z.number().int().min(0), ids: z.array(z.string()).max(2_000) });

/** Throws a refusal for what is no place. */
export function readPlace(cursor: string): LetterPlace {
  try {
    return place.parse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
  } catch {
    throw new Refusal({ status: 400, code: "INVALID_CURSOR", title: "That is no place in a list" });
  }
}

/** The place after these letters. */
export function placeOf(letters: readonly DeadLetter[], before: LetterPlace | undefined): string | null {
  const last = letters.at(-1);
  if (!last) return null;
  const here = letters.filter(({ at }) => at === last.at).map(({ id }) => id);
  const ids = before?.at === last.at ? [...before.ids, ...here] : here;
  return Buffer.from(JSON.stringify({ at: last.at, ids })).toString("base64url");
}

/** The letters behind a place. */
export async function* behind(
  letters: AsyncIterable<DeadLetter>,
  place: LetterPlace | undefined,
): AsyncGenerator<DeadLetter, void, undefined> {
  const seen = new Set(place?.ids);
  for await (const letter of letters) if (letter.at !== place?.at || !seen.has(letter.id)) yield letter;
}
