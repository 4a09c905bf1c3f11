import type { ReactNode } from "react";
import type { Cause, CausesView } from "../../src/api/letter.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Answered } from "../parts/answered.tsx";
import { When } from "../parts/when.tsx";
import { useAnswer } from "../server/queries.ts";
import { texts } from "../texts.ts";
import type { Bulk } from "./bulk-dialog.tsx";
import classes from "./causes-card.module.css";

const words = texts.letters;

interface CausesCardProps {
  readonly queue: string;
  readonly chosen: string | undefined;
  readonly onChoose: (cause: string | undefined) => void;
  readonly onBulk: (bulk: Bulk) => void;
}

/** What they died of, the commonest first; a cause shows only its letters, and is redriven with one button. */
export function CausesCard({ queue, chosen, onChoose, onBulk }: CausesCardProps): ReactNode {
  const query = useAnswer<CausesView>(`queues/${queue}/causes`);
  const columns: readonly Column<Cause>[] = [
    {
      header: words.cause,
      isTitle: true,
      cell: ({ cause, example }) => (
        <button
          type="button"
          data-open
          className={classes.cause}
          aria-pressed={cause === chosen}
          title={example}
          onClick={() => onChoose(cause === chosen ? undefined : cause)}
        >
          {cause}
        </button>
      ),
    },
    { header: words.count, isNumber: true, cell: ({ count }) => formatCount(count) },
    { header: words.first, isNarrow: true, cell: ({ firstAt }) => <When at={firstAt} /> },
    { header: words.last, isNarrow: true, cell: ({ lastAt }) => <When at={lastAt} /> },
    {
      header: texts.acts.column,
      isActs: true,
      isNarrow: true,
      cell: ({ cause }) => (
        <span className={classes.acts}>
          <OperatorButton
            size="compact-sm"
            label={words.redriveAll}
            name={words.redriveCause(cause)}
            onClick={() => onBulk({ act: "redrive", filter: { cause } })}
          />
          <OperatorButton
            size="compact-sm"
            variant="subtle"
            color="red"
            label={words.discard}
            name={words.discardCause(cause)}
            onClick={() => onBulk({ act: "discard", filter: { cause } })}
          />
        </span>
      ),
    },
  ];
  return (
    <Answered query={query}>
      {({ causes, looked, total }) =>
        causes.length > 0 && (
          <Card
            title={words.causes}
            aside={
              <span className={classes.note}>
                {looked < total ? words.looked(formatCount(looked), formatCount(total)) : words.total(formatCount(total))}
              </span>
            }
            isFlush
          >
            <List label={words.causes} rows={causes} columns={columns} keyOf={({ cause }) => cause} />
          </Card>
        )
      }
    </Answered>
  );
}
