import { checkRates, type Figures, type RatesOptions } from "../figures/figures.ts";
import { toSpans, type Spans } from "../figures/spans.ts";

const names = ["appended", "consumed", "failed", "dead", "leasesLost", "rescued", "overtaken"] as const;

/**
 * How many entries were appended; and of the entries that consumer groups were handed out, each group by itself, how many were consumed, how many attempts failed, and how many entries became dead
 * letters; how often a consumer lost its lease, as it did not answer, so that others ran again what it had (`leasesLost`), how many entries were taken back from consumers that were gone (`rescued`), and how
 * many attempts came to nothing, as the entry was another consumer's by then (`overtaken`).
 */
export type StreamRates = Spans<(typeof names)[number]>;

/** Throws INVALID_OPTION and VALKEY_UNAVAILABLE. */
export async function readStreamRates(figures: Figures, options: RatesOptions): Promise<StreamRates> {
  const range = checkRates(options);
  return toSpans(names, await figures.read(range), range);
}
