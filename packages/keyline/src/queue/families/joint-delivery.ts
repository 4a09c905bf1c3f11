import type { TransactionClient } from "../../postgres/client/options.ts";
import { TransactionWatch } from "../../postgres/client/transaction-watch.ts";
import type { Span } from "../../postgres/job/family-calls.ts";
import type { FamilyNode } from "./family-tree.ts";

/** Of fewer jobs notes of their own cost less. */
const fewest = 50;

interface Range {
  first: string;
  last: string;
  count: number;
}

/** The jobs whose deliveries are noted together, by their queues: all without children, where these are many and this process sees whether they are committed. */
export function spansOf(nodes: readonly FamilyNode[], tx: TransactionClient | undefined): Span[] {
  if (nodes.length < fewest || (tx && !TransactionWatch.on(tx))) return [];
  const ranges = new Map<string, Range>();
  for (const { member, request, death } of nodes) {
    if (death !== undefined) continue;
    const { id } = request;
    const range = ranges.get(member.queue);
    if (!range) {
      ranges.set(member.queue, { first: id, last: id, count: 1 });
      continue;
    }
    range.count++;
    // Ids are ASCII: JavaScript orders them as PostgreSQL does.
    if (id < range.first) range.first = id;
    if (id > range.last) range.last = id;
  }
  return [...ranges].flatMap(([queue, { first, last, count }]) => (count < fewest ? [] : [{ queue, first, last }]));
}
