import { paint, type Terminal } from "./terminal.ts";
import { oneLine } from "./printable.ts";

type Style = Parameters<typeof paint>[1];

/** A column of what is listed: `text` of each record. */
export interface Column<Row> {
  readonly title: string;
  text(row: Row): string | number | undefined;
  /** As it stands in a pipe, where that is another one: a time as a program reads it. */
  plain?(row: Row): string | number | undefined;
  readonly align?: "right";
  /** Gets shorter before others do where the terminal is narrow. */
  readonly isLong?: boolean;
  /** Is never cut: it is what other commands are given. */
  readonly isKey?: boolean;
  style?(row: Row): Style;
}

const gap = 2;
const narrowestLong = 12;
const narrowest = 6;

/** Tab-separated lines for a program to read: no heading, nothing cut off. */
export function plainLine<Row>(columns: readonly Column<Row>[], row: Row): string {
  return columns.map((column) => cellText((column.plain ?? column.text)(row))).join("\t");
}

/** A table that is no wider than the terminal. A column in which nothing stands is left out. */
export async function drawTable<Row>(all: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const columns = all.filter((column) => rows.some((row) => cellText(column.text(row)) !== ""));
  // A cell is never wider than the terminal: of a payload of a mebibyte only the beginning goes any further.
  const cells = rows.map((row) => columns.map((column) => cellText(column.text(row)).slice(0, terminal.width + 1)));
  const widths = fit(
    columns.map((column, index) => ({
      width: Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
      least: column.isKey ? Infinity : column.isLong ? narrowestLong : narrowest,
      isLong: column.isLong ?? false,
    })),
    terminal.width,
  );
  const shown = columns.slice(0, widths.length);
  const table = new Table({
    head: shown.map(({ title }) => paint(terminal, "bold", title)),
    colWidths: widths.map((width) => width + gap),
    colAligns: shown.map(({ align }) => align ?? "left"),
    chars: noLines,
    style: { "padding-left": 0, "padding-right": gap, head: [], border: [], compact: true },
  });
  for (const [at, row] of rows.entries()) {
    table.push(shown.map((column, index) => paint(terminal, column.style?.(row), cells[at]?.[index] ?? "")));
  }
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

interface Wanted {
  readonly width: number;
  /** It gets no narrower than this, unless it is so already. */
  readonly least: number;
  readonly isLong: boolean;
}

/** Long columns give way first, then all that may; and where even that does not do, the last ones are left out. */
function fit(wanted: readonly Wanted[], width: number): number[] {
  const widths = wanted.map((column) => column.width);
  const total = (): number => widths.reduce((sum, one) => sum + one + gap, 0) - gap;
  const shrink = (may: (column: Wanted) => boolean): void => {
    while (total() > width) {
      const open = wanted.flatMap((column, index) => (may(column) && (widths[index] ?? 0) > column.least ? [index] : []));
      const [widest] = open.toSorted((one, other) => (widths[other] ?? 0) - (widths[one] ?? 0));
      if (widest === undefined) return;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  };
  shrink(({ isLong }) => isLong);
  shrink(() => true);
  while (widths.length > 1 && total() > width) widths.pop();
  return widths;
}

function cellText(value: string | number | undefined): string {
  if (value === undefined) return "";
  return typeof value === "number" ? String(value) : oneLine(value);
}

const noLines = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};
