/** What became of an act, in words. What changed nothing is no success. */
export type Outcome = string | { readonly unchanged: string };

export function unchanged(text: string): Outcome {
  return { unchanged: text };
}
