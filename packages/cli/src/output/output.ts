import { once } from "node:events";
import { WrongUse } from "../exit-codes.ts";
import { jsonLine, oneLine, printable } from "./printable.ts";
import { exact } from "./times.ts";
import { drawTable, plainLine, type Column } from "./table.ts";
import { paint, readTerminal, type Terminal } from "./terminal.ts";

type Style = Parameters<typeof paint>[1];
/** One thing that a command tells: what `--json` prints of it. */
export type Shape = object;

/** Lines of a name and a value, in this order. Those without a value are left out. */
export type Details = readonly (readonly [name: string, value: string | number | undefined, style?: Style])[];

const tablePage = 500;

/**
 * Standard output: tables and sentences for people on a terminal, tab-separated lines in a pipe, or with `--json` an object a line. Standard error is for what is
 * said beside it.
 */
export class Output {
  readonly terminal: Terminal = readTerminal();
  /** Whether programs read it as JSON. */
  readonly isJson: boolean;
  readonly #fields: readonly string[] | undefined;

  /** `json`: true for all fields, else their names. */
  constructor(json: boolean | string | undefined) {
    this.isJson = json !== undefined && json !== false;
    this.#fields = typeof json === "string" && json !== "" ? json.split(",").map((field) => field.trim()) : undefined;
  }

  /** A list, as it comes. A terminal gets it page by page, each as a table. Returns how many there were. */
  async list<Row extends Shape>(columns: readonly Column<Row>[], rows: Iterable<Row> | AsyncIterable<Row>): Promise<number> {
    let count = 0;
    let page: Row[] = [];
    const isTable = this.terminal.isOutput && !this.isJson;
    for await (const row of rows) {
      count++;
      if (this.isJson) await this.#writeJson(row, true);
      else if (!isTable) await this.#write(plainLine(columns, row));
      else if (page.push(row) === tablePage) page = await this.#drawn(columns, page);
    }
    if (page.length > 0) await this.#drawn(columns, page);
    return count;
  }

  async #drawn<Row>(columns: readonly Column<Row>[], page: readonly Row[]): Promise<Row[]> {
    await this.#write(await drawTable(columns, page, this.terminal));
    return [];
  }

  /** One thing with all that is known of it. */
  async details(record: Shape, details: Details): Promise<void> {
    if (this.isJson) return this.#writeJson(record, true);
    const shown = details.filter(([, value]) => value !== undefined);
    if (!this.terminal.isOutput) {
      for (const [name, value] of shown) await this.#write(`${name}\t${oneLine(String(value))}`);
      return;
    }
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value, style] of shown) {
      const [first = "", ...rest] = printable(String(value))
        .split("\n")
        .map((line) => this.paint(style, line));
      await this.#write(
        [`${this.paint("bold", name.padEnd(width))}  ${first}`, ...rest.map((line) => " ".repeat(width + 2) + line)].join("\n"),
      );
    }
  }

  /** What came of it: a sentence, or the same as an object. */
  async result(record: Shape, sentence: string): Promise<void> {
    if (this.isJson) await this.#writeJson(record, true);
    else await this.#write(printable(sentence));
  }

  /** A line of something that is followed, behind when it was. Its fields differ from line to line. */
  async line(record: Shape, at: number, text: string): Promise<void> {
    if (this.isJson) return this.#writeJson(record, false);
    // The time of day is enough for somebody who looks on.
    const time = this.terminal.isOutput ? this.paint("dim", new Date(at).toTimeString().slice(0, 8)) : exact(at);
    await this.#write(`${time}  ${oneLine(text)}`);
  }

  /** An object between those lines, whole: who has asked for certain fields of them is told of it too. */
  remark(record: Shape): Promise<void> {
    return this.#write(jsonLine(record));
  }

  /** Text that is neither, such as a script. */
  text(text: string): Promise<void> {
    return this.#write(text);
  }

  /** Said to people beside the output. */
  note(text: string): void {
    this.#say(printable(text));
  }

  /** The same, where only somebody at a terminal needs it. */
  hint(text: string): void {
    if (this.terminal.isOutput && !this.isJson) this.#say(this.paint("dim", printable(text)));
  }

  #say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  paint(style: Style, text: string): string {
    return paint(this.terminal, style, text);
  }

  #writeJson(record: Shape, isStrict: boolean): Promise<void> {
    const fields = this.#fields;
    if (!fields) return this.#write(jsonLine(record));
    const unknown = fields.find((field) => !(field in record));
    if (isStrict && unknown !== undefined) {
      throw new WrongUse(`There is no field ${JSON.stringify(unknown)} to print: there are ${Object.keys(record).join(", ")}`);
    }
    const values = record as Readonly<Record<string, unknown>>;
    return this.#write(jsonLine(Object.fromEntries(fields.map((field) => [field, values[field] ?? null]))));
  }

  async #write(line: string): Promise<void> {
    // Whoever reads more slowly than this is waited for.
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
  }
}
