/** What the page offers for a reaction. The API takes any text; what is none of these is counted as `other`. */
export const reactionKinds = ["Thumbs up", "Love it", "Looks delicious", "Made me laugh"] as const;
export type ReactionKind = (typeof reactionKinds)[number];

export const otherKind = "other";

export function kindOf(content: string): ReactionKind | typeof otherKind {
  return reactionKinds.find((kind) => kind === content) ?? otherKind;
}
