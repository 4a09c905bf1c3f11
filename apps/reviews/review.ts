/** How often others reacted and responded to a review. */
export interface Counts {
  readonly reactions: number;
  readonly responses: number;
  /** The reactions by their kind. */
  readonly kinds: Readonly<Record<string, number>>;
}

export const noCounts: Counts = { reactions: 0, responses: 0, kinds: {} };

export interface Review extends Counts {
  readonly reviewId: number;
  readonly userId: string;
  readonly content: string;
  /** ISO 8601. */
  readonly postedAt: string;
}
