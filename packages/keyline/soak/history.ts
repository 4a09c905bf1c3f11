import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * What somebody does, named after what it is done to: `orders` is the transactional queue, `tours` the one whose jobs go in steps, `trips` the one whose jobs have children on `legs`, `mails` the plain one, `outings` the plain one whose jobs have children on `stops`, `news` the channel,
 * `events` the transactional stream, `readings` the plain one.
 */
export type Activity =
  | "orders.add"
  | "orders.run"
  | "tours.add"
  | "tours.run"
  | "tours.step"
  | "tours.cancel"
  | "tours.signal"
  | "tours.wait"
  | "trips.add"
  | "trips.run"
  | "legs.run"
  | "mails.add"
  | "mails.run"
  | "outings.add"
  | "outings.run"
  | "stops.run"
  | "news.publish"
  | "news.receive"
  | "events.append"
  | "events.handle"
  | "events.follow"
  | "readings.append"
  | "readings.handle"
  | "readings.follow"
  | "lease"
  | "stall";

/** As in Jepsen's histories: `invoke` begins an operation; `ok` and `fail` are known ends of it; `info` is an end that nobody knows. */
export interface Op {
  readonly proc: string;
  readonly i: number;
  /** Milliseconds of a clock that all processes of the machine share and nobody sets. */
  readonly mono: number;
  /** Milliseconds since 1970, for comparison with what PostgreSQL wrote down. */
  readonly wall: number;
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly f: Activity;
  readonly msg?: string | undefined;
  /** Which attempt it is: the fencing token of whoever has the job. */
  readonly attempt?: number | undefined;
  /** A cursor, or the id of an entry. */
  readonly token?: string | undefined;
  readonly kind?: string | undefined;
  readonly note?: string | undefined;
}

type Written = Omit<Op, "proc" | "i" | "mono" | "wall" | "type">;

/** The history of one process. Each line is with the kernel when its call returns, so that SIGKILL takes none of them. */
export class HistoryWriter {
  readonly #file: number;
  readonly #head: { readonly seed: number; readonly proc: string };
  #written = 0;

  constructor({ folder, proc, seed }: { readonly folder: string; readonly proc: string; readonly seed: number }) {
    this.#file = openSync(join(folder, `${proc}.jsonl`), "a");
    this.#head = { seed, proc };
  }

  write(type: Op["type"], op: Written): void {
    const mono = Math.round(Number(process.hrtime.bigint() / 1_000n)) / 1_000;
    writeSync(this.#file, `${JSON.stringify({ ...this.#head, i: this.#written++, mono, wall: Date.now(), type, ...op })}\n`);
  }
}

/** Reads what the processes of a folder have written, again and again, each line once. */
export class HistoryReader {
  readonly ops: Op[] = [];
  readonly #folder: string;
  readonly #read = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All that was written so far, in the order of time. */
  read(): readonly Op[] {
    for (const file of readdirSync(this.#folder)) {
      if (!file.endsWith(".jsonl")) continue;
      const text = readFileSync(join(this.#folder, file));
      const from = this.#read.get(file) ?? 0;
      // The last line of a process that was killed may be half of one.
      const end = text.lastIndexOf("\n") + 1;
      for (const line of text.toString("utf8", from, end).split("\n")) if (line !== "") this.ops.push(JSON.parse(line) as Op);
      this.#read.set(file, Math.max(from, end));
    }
    return this.ops.sort((one, other) => one.mono - other.mono);
  }
}
