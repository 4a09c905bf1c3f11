import { Checkbox } from "@mantine/core";
import type { ReactNode } from "react";
import { texts } from "../texts.ts";
import classes from "./list.module.css";

export interface Column<Row> {
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  readonly isNumber?: boolean;
  /** No wider than what is in it: times, tags and buttons. */
  readonly isNarrow?: boolean;
  /** What callers have chosen: in one line, and cut where it is a long one. */
  readonly isName?: boolean;
  /** Takes what room there is, and is cut at its end. */
  readonly isWide?: boolean;
  /** On a phone the cell has the whole line, without its header. */
  readonly isTitle?: boolean;
  /** On a phone the cell has the whole line: ids and names that would be broken. */
  readonly isLong?: boolean;
  /** What can be done with the row. */
  readonly isActs?: boolean;
}

export interface Selection {
  readonly ids: ReadonlySet<string>;
  select(id: string, isSelected: boolean): void;
  selectAll(ids: readonly string[], isSelected: boolean): void;
}

interface ListProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly selection?: Selection;
  /** In its line, for those who look at it: such as `critical`. */
  readonly toneOf?: (row: Row) => string | undefined;
}

/** A table, whose rows are cards on a phone. `j` and `k` go from row to row, `x` selects, Enter opens: see frame/keys.ts. */
export function List<Row>({ label, rows: all, columns, keyOf, selection, toneOf }: ListProps<Row>): ReactNode {
  const rows = oncePerKey(all, keyOf);
  return (
    <table className={classes.list} aria-label={label} role="table" data-list>
      <thead role="rowgroup">
        <tr role="row">
          {selection && (
            <th role="columnheader" className={classes.select}>
              <SelectAll selection={selection} ids={rows.map(keyOf)} />
            </th>
          )}
          {columns.map(({ header, isNumber, isNarrow, isWide }) => (
            <th key={header} role="columnheader" scope="col" data-number={isNumber} data-narrow={isNarrow} data-wide={isWide}>
              {header}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => {
          const key = keyOf(row);
          return (
            <tr
              key={key}
              role="row"
              data-row={key}
              tabIndex={-1}
              data-tone={toneOf?.(row)}
              data-selected={selection?.ids.has(key) || undefined}
            >
              {selection && (
                <td role="cell" className={classes.select}>
                  <Checkbox
                    size="sm"
                    aria-label={texts.list.select(key)}
                    checked={selection.ids.has(key)}
                    onChange={(event) => selection.select(key, event.currentTarget.checked)}
                  />
                </td>
              )}
              {columns.map(({ header, cell, isNumber, isNarrow, isName, isWide, isTitle, isLong, isActs }) => (
                <td
                  key={header}
                  role="cell"
                  data-label={header}
                  data-number={isNumber}
                  data-narrow={isNarrow}
                  data-name={isName}
                  data-wide={isWide}
                  data-title={isTitle}
                  data-long={isLong}
                  data-acts={isActs}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** What went from one page to the next while both were read is in both. */
function oncePerKey<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}

function SelectAll({ selection, ids }: { readonly selection: Selection; readonly ids: readonly string[] }): ReactNode {
  const selected = ids.filter((id) => selection.ids.has(id)).length;
  return (
    <Checkbox
      size="sm"
      aria-label={texts.list.selectAll}
      checked={ids.length > 0 && selected === ids.length}
      indeterminate={selected > 0 && selected < ids.length}
      onChange={(event) => selection.selectAll(ids, event.currentTarget.checked)}
    />
  );
}
