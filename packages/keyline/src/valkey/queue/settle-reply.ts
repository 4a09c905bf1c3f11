/** What came of settling and taking: "lost" when the lease is, "moved" when the oldest held are others; nothing was done then. */
export type SettleReply =
  { readonly missing: readonly number[]; readonly taken: readonly string[]; readonly gate?: Gate | undefined } | "lost" | "moved";

/** What the queue's gates let through: see scripts/take-gated.lua. */
export interface Gate {
  readonly state: "open" | "closed" | "plain";
  /** When to look again; -1: when told. */
  readonly waitMs: number;
  /** How many jobs of a group may run at a time; with more than one there is no order to keep. */
  readonly ofGroup: number;
  /** Jobs were cancelled lately: what was taken may be among them, where the record decides. */
  readonly isCancelling: boolean;
}

type PlainReply = string[] | [number[], ...string[]];
type GatedReply = [missing: number[], state: Gate["state"], waitMs: number, ofGroup: number, isCancelling: 0 | 1, ...taken: string[]];

const none: readonly number[] = [];

/** What a script that settles and takes has answered. */
export function readSettled(reply: unknown, isGated: boolean): SettleReply {
  if (reply === 0) return "lost";
  if (reply === -1) return "moved";
  return isGated ? readGated(reply as GatedReply) : readPlain(reply as PlainReply);
}

function readPlain(reply: PlainReply): SettleReply {
  if (typeof reply[0] !== "object") return { missing: none, taken: reply as string[] };
  const [missing, ...taken] = reply as [number[], ...string[]];
  return { missing: missing.map((number) => number - 1), taken };
}

function readGated([missing, state, waitMs, ofGroup, isCancelling, ...taken]: GatedReply): SettleReply {
  const gate = { state, waitMs, ofGroup, isCancelling: isCancelling === 1 };
  return { missing: missing.map((number) => number - 1), taken, gate };
}
