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
  /** Goes first where the terminal is narrow. */
  readonly isExtra?: boolean;
  /** Is never cut: it is what other commands are given. */
  readonly isKey?: boolean;
  style?(row: Row): Style;
}

const gap = 2;
const narrowestLong = 12;
// Of what is written in several parts for each place, such as a family of emojis.
const mostUnits = 12;

/** Tab-separated lines for a program to read: no heading, nothing cut off. */
export function plainLine<Row>(columns: readonly Column<Row>[], row: Row): string {
  return columns.map((column) => cellText((column.plain ?? column.text)(row))).join("\t");
}

/** A table that is no wider than the terminal. A column in which nothing stands is left out. */
export async function drawTable<Row>(all: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): Promise<string> {
  const [{ default: Table }, { default: widthOf }] = await Promise.all([import("cli-table3"), import("string-width")]);
  const columns = all.filter((column) => rows.some((row) => cellText(column.text(row)) !== ""));
  // Of a payload of a mebibyte only the beginning goes any further.
  const cells = rows.map((row) => columns.map((column) => cellText(column.text(row)).slice(0, terminal.width * mostUnits)));
  const widths = fit(
    columns.map((column, index) => ({
      width: Math.max(...[column.title, ...cells.map((line) => line[index] ?? "")].map((text) => widthOf(text))),
      isLong: column.isLong ?? false,
      isKey: column.isKey ?? false,
      isExtra: column.isExtra ?? false,
    })),
    terminal.width,
  );
  const shown = columns.flatMap((column, index) => {
    const width = widths[index];
    return width === undefined ? [] : [{ ...column, index, width }];
  });
  const table = new Table({
    head: shown.map(({ title }) => paint(terminal, "bold", title)),
    colWidths: shown.map(({ width }) => width + gap),
    colAligns: shown.map(({ align }) => align ?? "left"),
    chars: noLines,
    style: { "padding-left": 0, "padding-right": gap, head: [], border: [], compact: true },
  });
  for (const [at, row] of rows.entries()) {
    table.push(
      shown.map(({ index, width, style }) => paint(terminal, style?.(row), shortened(cells[at]?.[index] ?? "", { width, widthOf }))),
    );
  }
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

interface Wanted {
  readonly width: number;
  readonly isLong: boolean;
  readonly isKey: boolean;
  readonly isExtra: boolean;
}

/** Long columns give way first. Where that does not do, others are left out from the last one on, as half a number is worse than none. Undefined is left out. */
function fit(wanted: readonly Wanted[], width: number): (number | undefined)[] {
  const widths: (number | undefined)[] = wanted.map((column) => column.width);
  const total = (): number => widths.reduce<number>((sum, one) => (one === undefined ? sum : sum + one + gap), -gap);
  const shrink = (may: (column: Wanted) => boolean, least: number): void => {
    while (total() > width) {
      const open = wanted.flatMap((column, index) => (may(column) && (widths[index] ?? 0) > least ? [index] : []));
      const [widest] = open.toSorted((one, other) => (widths[other] ?? 0) - (widths[one] ?? 0));
      if (widest === undefined) return;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  };
  const leaveOut = (may: (column: Wanted) => boolean): void => {
    for (let index = wanted.length - 1; index > 0 && total() > width; index--) {
      const column = wanted[index];
      if (column && may(column)) widths[index] = undefined;
    }
  };
  shrink(({ isLong }) => isLong, narrowestLong);
  leaveOut(({ isExtra }) => isExtra);
  leaveOut(({ isLong, isKey }) => !isLong && !isKey);
  leaveOut(({ isLong }) => isLong);
  leaveOut(() => true);
  shrink(() => true, 1);
  return widths;
}

/** The beginning of a text that is wider than its column. What belongs together, such as the parts of an emoji, is not cut apart. */
function shortened(text: string, { width, widthOf }: { readonly width: number; readonly widthOf: (text: string) => number }): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let taken = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    taken += widthOf(segment);
    if (taken > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
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
