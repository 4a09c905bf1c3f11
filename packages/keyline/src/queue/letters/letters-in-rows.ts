import type { DeadHead, DeadTable } from "../../postgres/job/dead-table.ts";
import { readHistory } from "../worker/attempt-history.ts";
import { committedRow } from "../add/committed.ts";
import type { DeadLetter, LetterHead } from "./dead-letter.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import type { HeadRange, LetterShelf } from "./letter-shelf.ts";

// So much is read into this process at a time.
const stepBytes = 4_194_304;

interface RowHead extends LetterHead {
  readonly size: number;
}

/** The dead letters of a transactional queue: rows. */
export class LettersInRows implements LetterShelf {
  readonly #table: DeadTable;
  readonly #outlet: Pick<JobOutlet, "pushCommitted">;

  constructor(table: DeadTable, outlet: Pick<JobOutlet, "pushCommitted">) {
    this.#table = table;
    this.#outlet = outlet;
  }

  async page(range: HeadRange): Promise<RowHead[]> {
    return (await this.#table.page(range)).map(toHead);
  }

  async of(ids: readonly string[]): Promise<RowHead[]> {
    return (await this.#table.of(ids)).map(toHead);
  }

  async read(heads: readonly LetterHead[]): Promise<(DeadLetter | undefined)[]> {
    const rows = new Map((await this.#table.read(heads)).map((row) => [row.id, row]));
    return heads.map(({ id, reason, attempts, place, group }) => {
      const row = rows.get(id);
      if (!row) return undefined;
      const { data, stack, history } = row;
      return { id, reason, stack: stack ?? undefined, attempts, at: Math.floor(place / 1_000), group, history: readHistory(history), data };
    });
  }

  async redrive(heads: readonly LetterHead[]): Promise<number> {
    let count = 0;
    for (const step of stepsOf(heads as readonly RowHead[])) {
      const { rows: redriven, tag } = await this.#table.redrive(step);
      const rows = new Map(redriven.map((row) => [row.id, row]));
      count += rows.size;
      this.#outlet.pushCommitted(
        step.flatMap(({ id }) => {
          const row = rows.get(id);
          if (!row) return [];
          return [{ ...committedRow(row, { isRedriven: true }), redrive: tag }];
        }),
      );
    }
    return count;
  }

  discard(heads: readonly LetterHead[]): Promise<number> {
    return this.#table.discard(heads);
  }

  async count(): Promise<number> {
    return (await this.#table.counts()).dead;
  }

  newestPlace(): Promise<number> {
    return this.#table.now();
  }
}

function toHead({ id, reason, attempts, place, group, size }: DeadHead): RowHead {
  return { key: id, id, reason: reason ?? "", attempts, place, group: group ?? undefined, size };
}

/** The heads in parts of which each is not too large, but for one that is by itself. */
function stepsOf(heads: readonly RowHead[]): RowHead[][] {
  const steps: RowHead[][] = [];
  let bytes = Infinity;
  for (const head of heads) {
    bytes += head.size;
    if (bytes > stepBytes) {
      steps.push([]);
      bytes = head.size;
    }
    steps.at(-1)?.push(head);
  }
  return steps;
}
