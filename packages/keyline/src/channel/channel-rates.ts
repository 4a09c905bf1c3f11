import { checkRates, type Figures, type RatesOptions } from "../figures/figures.ts";
import { toSpans, type Spans } from "../figures/spans.ts";

const names = ["published", "received"] as const;

/** How many messages were published, and how many were handed to subscriptions: one message to ten of them counts ten times. */
export type ChannelRates = Spans<(typeof names)[number]>;

/** Throws INVALID_OPTION and VALKEY_UNAVAILABLE. */
export async function readChannelRates(figures: Figures, options: RatesOptions): Promise<ChannelRates> {
  const range = checkRates(options);
  return toSpans(names, await figures.read(range), range);
}
