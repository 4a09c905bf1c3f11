import { asChild } from "./family-element.ts";
import { encodeElement, readHead } from "../element.ts";
import { placedElement } from "../add/placement.ts";
import type { ChildDeath } from "../../postgres/job/family-calls.ts";
import type { FamilyNode } from "./family-tree.ts";

/** What a row says of a child besides its element. */
interface RowFields {
  /** How it is added, as names and values: scripts/add-placed.lua. */
  readonly options?: readonly (string | number)[];
  /** How many jobs are below it, and where these begin among all rows of what is below. */
  readonly size?: number;
  readonly begins?: number;
  readonly death?: ChildDeath | undefined;
  /** It does not simply go to the tail. */
  readonly isPlaced?: boolean;
}

/** A child that is to be added: what a row of `family-jobs` says (scripts/family.lua). What is below it are the `size` rows from `begins` on, each in front of what is below it. */
export interface FamilyRow extends RowFields {
  readonly queue: string;
  readonly id: string;
  readonly element: string;
}

/** Rows by their numbers, as they are staged. */
export interface NumberedRows {
  readonly rows: readonly (readonly [number: string, row: string])[];
  /** Those of the children of the one above all, in their order. */
  readonly direct: readonly string[];
  /** How many are children of the one above all. */
  readonly children: number;
  /** Their queues. */
  readonly queues: readonly string[];
}

/** The rows of a family. `dueAt` is when a delay ends that begins now. */
export function rowsOf(
  root: { readonly queue: string; readonly id: string },
  nodes: readonly FamilyNode[],
  dueAt: (node: FamilyNode, ms: number) => number,
): NumberedRows {
  const at = Date.now();
  const below = Map.groupBy(nodes, ({ parent }) => keyOf(parent));
  const childrenOf = ({ member, request }: FamilyNode): readonly FamilyNode[] =>
    below.get(keyOf({ queue: member.queue, id: request.id })) ?? [];
  const sizes = new Map<FamilyNode, number>();
  // Children come behind their parents.
  for (const node of nodes.toReversed()) {
    let size = 0;
    for (const child of childrenOf(node)) size += 1 + (sizes.get(child) ?? 0);
    sizes.set(node, size);
  }
  const ordered: FamilyRow[] = [];
  const left = (below.get(keyOf(root)) ?? []).toReversed();
  for (let node = left.pop(); node; node = left.pop()) {
    ordered.push(toRow(node, { at, size: sizes.get(node) ?? 0, dueAt: (ms) => (node ? dueAt(node, ms) : ms) }));
    for (const child of childrenOf(node).toReversed()) left.push(child);
  }
  const numbering = new Numbering();
  const rows = ordered.map((row) => numbering.number(row));
  const direct = rows.flatMap(([number, row]) => (number.startsWith("b") ? [] : [row]));
  return { rows, direct, children: numbering.children, queues: [...numbering.queues] };
}

/** Gives numbers to rows that come each in front of what is below it. */
export class Numbering {
  children = 0;
  readonly queues = new Set<string>();
  #below = 0;
  /** So many of those that follow are below the last child. */
  #left = 0;

  number(row: FamilyRow): readonly [number: string, row: string] {
    if (this.#left > 0) {
      this.#left--;
      return [`b${this.#below++}`, writeRow(row)];
    }
    this.queues.add(row.queue);
    this.#left = row.size ?? 0;
    return [String(++this.children), writeRow({ ...row, begins: this.#below })];
  }
}

export function readRow(text: string): FamilyRow {
  const [, queue = "", id = "", json = "", element = ""] = /^(\S+) (\S+) \+([^\n]*)\n(.*)$/s.exec(text) ?? [];
  const fields = json === "" ? {} : (JSON.parse(json) as RowFields);
  return { queue, id, element, ...fields };
}

/** Its element as that of a child, and its mark. */
export function childOf(
  row: FamilyRow,
  { queue, family, batch, number }: { readonly queue: string; readonly family: string; readonly batch: string; readonly number: number },
): {
  readonly mark: string;
  readonly element: string;
} {
  const mark = `${batch} ${number} ${queue} ${family}`;
  return { mark, element: asChild(row.element, mark) };
}

/** By which it is known as a parent. */
export function familyOfElement(element: string): string {
  const { id = "", at } = readHead(element) ?? {};
  return `${id}@${at ?? ""}`;
}

function writeRow({ queue, id, element, ...fields }: FamilyRow): string {
  const { options, size, begins, death, isPlaced } = fields;
  const isParent = size !== undefined && size > 0;
  const json = isPlaced || isParent ? JSON.stringify({ options, isPlaced, ...(isParent ? { size, begins, death } : {}) }) : "";
  return `${queue} ${id} +${json}\n${element}`;
}

function toRow(
  { member, request, death }: FamilyNode,
  { at, size, dueAt }: { readonly at: number; readonly size: number; readonly dueAt: (ms: number) => number },
): FamilyRow {
  const { queue } = member;
  const { id, placement } = request;
  if (!placement && !request.isOwnId) {
    return { queue, id, element: encodeElement({ ...request, at, isChild: false, isParent: size > 0 }), size, death };
  }
  const { delayMs, ...rest } = placement ?? {};
  const placed = delayMs === undefined ? rest : { ...rest, runAt: dueAt(delayMs) };
  const { element, options } = placedElement({ ...request, placement: placed, at, isChild: false, isParent: size > 0 });
  return { queue, id, element, size, death, isPlaced: true, ...(options.length > 0 ? { options } : {}) };
}

function keyOf({ queue, id }: { readonly queue: string; readonly id: string }): string {
  return `${queue}/${id}`;
}
