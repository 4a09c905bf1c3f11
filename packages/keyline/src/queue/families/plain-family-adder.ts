import { KeylineError } from "../../runtime/errors.ts";
import { newId } from "../../runtime/ids.ts";
import { explainSend } from "../../valkey/client/faults.ts";
import type { Families } from "../../valkey/queue/families.ts";
import type { ChildDeath } from "../../postgres/job/family-calls.ts";
import type { AddResult } from "../options.ts";
import { placedElement } from "../add/placement.ts";
import { familyOfElement, rowsOf, type NumberedRows } from "./family-rows.ts";
import type { FamilyNode } from "./family-tree.ts";
import type { NewFamily } from "./family-adder.ts";
import type { Member } from "./member.ts";
import type { PlainFamilies } from "./plain-families.ts";

const readyWithinMs = 5_000;
const pageRows = 250;
const pageLength = 262_144;
const pagesAtOnce = 4;
const tries = 3;

/** Adds families of plain queues. */
export class PlainFamilyAdder {
  readonly #families: PlainFamilies;

  constructor(families: PlainFamilies) {
    this.#families = families;
  }

  async add({ root, request, death, nodes }: NewFamily): Promise<AddResult> {
    const { id } = request;
    const { element, options } = placedElement({ ...request, at: Date.now(), isParent: true });
    const family = familyOfElement(element);
    const answer = await this.#write(root, nodes, { family, id, death, options: ["element", element, ...options] });
    if (answer !== "added") return { id, added: false };
    root.adds.noteAll([{ id, added: true }]);
    return { id, added: true };
  }

  /** Adds children below a job that a worker holds. "known": some were added under that name before; "gone": it does not hold it any more. */
  addTo(
    root: Member,
    {
      family,
      id,
      nodes,
      death,
      name,
      worker,
      begins,
    }: {
      readonly family: string;
      readonly id: string;
      readonly nodes: readonly FamilyNode[];
      readonly death: ChildDeath | undefined;
      readonly name: string;
      readonly worker: string;
      /** The text that its element begins with. */
      readonly begins: string;
    },
  ): Promise<"added" | "known" | "gone"> {
    return this.#write(root, nodes, { family, id, death, options: ["name", name, "worker", worker, "begins", begins] });
  }

  async #write(
    root: Member,
    nodes: readonly FamilyNode[],
    how: {
      readonly family: string;
      readonly id: string;
      readonly death: ChildDeath | undefined;
      readonly options: readonly (string | number)[];
    },
  ): Promise<"added" | "known" | "gone"> {
    const { queue, store } = root;
    const { family, id, death, options } = how;
    if (!store.connection.isReady) await store.connection.ensureReady(readyWithinMs);
    try {
      await this.#checkTaken(nodes);
      const now = await this.#clocks(nodes);
      const rows = rowsOf({ queue, id }, nodes, (node, ms) => (now.get(node.member.queue) ?? Date.now()) + ms);
      for (let tried = 1; ; tried++) {
        const batch = newId();
        const answer = await add(store.families, { batch, rows, family, death, options });
        // What was staged was lost with the server's memory.
        if (answer === "lost" && tried < tries) continue;
        if (answer === "lost" || answer === "late")
          throw new KeylineError("VALKEY_UNAVAILABLE", `Valkey lost a family of queue ${queue} before it was added: nothing was`);
        // What cannot be brought now is brought by the duty of a worker.
        if (answer === "added")
          await this.#families.mover.bring({ queue, family, queues: rows.queues }, { batch, rows: rows.direct }).catch(() => undefined);
        return answer;
      }
    } catch (error) {
      throw explainSend(error, `The connection to Valkey broke while a family was added to queue ${queue}: all of it is there, or nothing`);
    }
  }

  async #checkTaken(nodes: readonly FamilyNode[]): Promise<void> {
    const own = Map.groupBy(
      nodes.filter(({ request }) => request.isOwnId),
      ({ member }) => member,
    );
    for (const [{ queue, store }, some] of own) {
      const [taken] = await store.families.known(some.map(({ request }) => request.id));
      if (taken !== undefined) {
        throw new KeylineError(
          "INVALID_OPTION",
          `Job ${taken} of queue ${queue} is there already, and cannot become a child: nothing was added`,
        );
      }
    }
  }

  /** The times of the servers by which delays end. */
  async #clocks(nodes: readonly FamilyNode[]): Promise<ReadonlyMap<string, number>> {
    const delayed = new Map(
      nodes.flatMap(({ member, request }) => (request.placement?.delayMs === undefined ? [] : [[member.queue, member]])),
    );
    return new Map(await Promise.all([...delayed].map(async ([queue, { store }]) => [queue, await store.families.now()] as const)));
  }
}

async function add(
  families: Families,
  {
    batch,
    rows: { rows, children, queues },
    family,
    death,
    options,
  }: {
    readonly batch: string;
    readonly rows: NumberedRows;
    readonly family: string;
    readonly death: ChildDeath | undefined;
    readonly options: readonly (string | number)[];
  },
): Promise<"added" | "known" | "lost" | "gone" | "late"> {
  let underWay: Promise<void>[] = [];
  for (const page of pagesOf(rows)) {
    underWay.push(families.stage("added", batch, page));
    if (underWay.length < pagesAtOnce) continue;
    await Promise.all(underWay);
    underWay = [];
  }
  await Promise.all(underWay);
  return families.commit("added", { family, batch, rows: rows.length, children, death, queues, options });
}

function* pagesOf(rows: NumberedRows["rows"]): Generator<string[]> {
  let page: string[] = [];
  let length = 0;
  for (const [number, row] of rows) {
    page.push(number, row);
    length += row.length;
    if (page.length < 2 * pageRows && length < pageLength) continue;
    yield page;
    page = [];
    length = 0;
  }
  if (page.length > 0) yield page;
}
