import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import type { JobPlace } from "../jobs/job-surroundings.ts";

/** A job of a family. */
export interface FamilyNode extends JobPlace {
  /** Of the job that was asked for where it is; of the others how they have ended, or "parked", "scheduled" or "open" while they have not. */
  readonly state: string;
  /** Why it is dead, where its parent was told. */
  readonly reason: string | undefined;
  readonly children: readonly FamilyNode[];
  /** Where its further children begin: `family(id, { cursor })` of its queue. Undefined where there are no more. */
  readonly next: string | undefined;
}

/** A job with what is below it. */
export interface JobFamily extends FamilyNode {
  /** Its parent, and that one's, as far as they are known: the highest first. */
  readonly above: readonly JobPlace[];
}

export interface FamilyViewOptions {
  /** How many jobs below it at the most. Default 100, at the most 1,000. */
  readonly limit?: number;
  /** Its children from here on. */
  readonly cursor?: string;
}

export interface FamilyQuery {
  readonly limit: number;
  readonly cursor: string;
}

/** A child, as its parent's family knows it. */
export interface SeenChild<Key> extends JobPlace {
  readonly state: string;
  readonly reason: string | undefined;
  /** What its own children are found by, where it may have some. */
  readonly key: Key | undefined;
}

export interface ChildrenSeen<Key> {
  readonly children: readonly SeenChild<Key>[];
  readonly next: string | undefined;
}

/** Reads children of several parents, each from its cursor on ("" is the beginning), up to `limit` of each. */
export type ReadChildren<Key> = (
  parents: readonly { readonly key: Key; readonly cursor: string }[],
  limit: number,
) => Promise<readonly ChildrenSeen<Key>[]>;

const defaultLimit = 100;
const mostLimit = 1_000;
const deepest = 16;
const optionNames = new Set<string>(["limit", "cursor"] satisfies (keyof FamilyViewOptions)[]);

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkFamilyView(options: FamilyViewOptions): FamilyQuery {
  if (typeof options !== "object" || options === null) throw new KeylineError("INVALID_OPTION", "family takes its options as an object");
  checkOptionNames("family", options, optionNames);
  const { limit, cursor } = options;
  if (cursor !== undefined && (typeof cursor !== "string" || !/^\d{1,9}\.\d{1,9}$/.test(cursor))) {
    throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`next\` of a job that family() gave`);
  }
  return { limit: limit === undefined ? defaultLimit : checkInteger("limit", limit, { min: 1, max: mostLimit }), cursor: cursor ?? "" };
}

export function writePlace(batch: number, after: number): string {
  return `${batch}.${after}`;
}

export function readPlace(cursor: string): readonly [batch: number, after: number] {
  const [batch = 1, after = 0] = cursor === "" ? [] : cursor.split(".").map(Number);
  return [batch, after];
}

interface GrowingNode<Key> extends FamilyNode {
  readonly key: Key | undefined;
  children: GrowingNode<Key>[];
  next: string | undefined;
}

/** What is below a job: level by level, until there are as many as asked for. */
export async function growFamily<Key>(
  root: { readonly place: JobPlace; readonly state: string; readonly reason: string | undefined; readonly key: Key | undefined },
  { limit, cursor }: FamilyQuery,
  read: ReadChildren<Key>,
): Promise<FamilyNode> {
  const { place, state, reason, key } = root;
  const top: GrowingNode<Key> = { ...place, state, reason, key, children: [], next: key === undefined ? undefined : cursor };
  let left = limit;
  let level = [top];
  for (let depth = 0; depth < deepest && left > 0; depth++) {
    const parents = level
      .flatMap((node) => (node.key === undefined ? [] : [{ node, key: node.key, cursor: node.next ?? "" }]))
      .slice(0, left);
    if (parents.length === 0) break;
    const seen = await read(parents, Math.max(1, Math.floor(left / parents.length)));
    level = [];
    for (const [index, { node }] of parents.entries()) {
      const { children = [], next } = seen[index] ?? {};
      node.children = children.map((child) => ({ ...child, children: [], next: child.key === undefined ? undefined : writePlace(1, 0) }));
      node.next = next;
      level.push(...node.children);
      left -= children.length;
    }
  }
  return trim(top);
}

function trim<Key>({ queue, id, state, reason, children, next }: GrowingNode<Key>): FamilyNode {
  return { queue, id, state, reason, children: children.map(trim), next };
}
