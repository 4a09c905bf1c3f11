import type { ReactNode } from "react";
import type { BulkBody } from "../../src/api/letter.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { formatCount } from "../format/numbers.ts";
import type { Filter } from "../routes.ts";
import { texts } from "../texts.ts";
import type { Bulk } from "./bulk-dialog.tsx";
import classes from "./causes-card.module.css";

const words = texts.letters;

interface LettersBarProps {
  readonly selected: ReadonlySet<string>;
  readonly filter: Filter;
  readonly onBulk: (bulk: Bulk) => void;
  readonly onClear: () => void;
}

/** Acts on what is selected, or on all that fit the filter, also beyond the page. */
export function LettersBar({ selected, filter, onBulk, onClear }: LettersBarProps): ReactNode {
  if (selected.size === 0) {
    const { before, ...meant } = bulkFilter(filter);
    const rest = before === undefined ? {} : { before };
    return (
      <div className={classes.bar}>
        <OperatorButton
          size="compact-sm"
          label={words.redriveMatching}
          onClick={() => onBulk({ act: "redrive", filter: meant, ...rest })}
        />
        <OperatorButton
          size="compact-sm"
          variant="subtle"
          color="red"
          label={words.discardMatching}
          onClick={() => onBulk({ act: "discard", filter: meant, ...rest })}
        />
      </div>
    );
  }
  const ids = [...selected];
  return (
    <div className={classes.bar} role="group" aria-label={words.selection}>
      <span>{words.selected(formatCount(ids.length))}</span>
      <OperatorButton size="compact-sm" variant="filled" label={words.redriveSelected} onClick={() => onBulk({ act: "redrive", ids })} />
      <OperatorButton
        size="compact-sm"
        variant="light"
        color="red"
        label={words.discardSelected}
        onClick={() => onBulk({ act: "discard", ids })}
      />
      <button type="button" className={classes.cause} onClick={onClear}>
        {words.clearSelection}
      </button>
    </div>
  );
}

function bulkFilter({ cause, error, group, after, before }: Filter): NonNullable<BulkBody["filter"]> & { readonly before?: number } {
  return {
    ...(cause !== undefined && { cause }),
    ...(error !== undefined && { error }),
    ...(group !== undefined && { group }),
    ...(after !== undefined && { after: Number(after) }),
    ...(before !== undefined && { before: Number(before) }),
  };
}
