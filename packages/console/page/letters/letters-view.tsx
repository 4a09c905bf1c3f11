import { useState, type ReactNode } from "react";
import type { LettersPage } from "../../src/api/letter.ts";
import { Card } from "../list/card.tsx";
import { List } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useFilter } from "../list/use-filter.ts";
import { useSelection } from "../list/use-selection.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { QueueFrame } from "../queue/queue-frame.tsx";
import { usePages } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { BulkDialog, type Bulk } from "./bulk-dialog.tsx";
import { CausesCard } from "./causes-card.tsx";
import { letterColumns } from "./letter-columns.tsx";
import { LettersBar } from "./letters-bar.tsx";
import { LettersFilter } from "./letters-filter.tsx";

const words = texts.letters;

/** Dead letters: by cause, then one by one; each act says how many it means before it is done. */
export function LettersView({ queue }: { readonly queue: string }): ReactNode {
  const [{ cause, error, group, after, before }, setFilter] = useFilter();
  const selection = useSelection();
  const [bulk, setBulk] = useState<Bulk>();
  const path = `queues/${queue}/letters`;
  const query = usePages<LettersPage>(path, { cause, error, group, after, before });
  useRefreshed(`queue:${queue}`, ["pages", path], ["pages", `queues/${queue}/causes`]);
  const filter = { cause, error, group, after, before };
  const hasNone = query.data?.pages.every(({ letters }) => letters.length === 0) ?? false;
  return (
    <QueueFrame queue={queue}>
      <CausesCard queue={queue} chosen={cause} onChoose={(next) => setFilter({ cause: next })} onBulk={setBulk} />
      <LettersFilter filter={filter} onChange={setFilter} />
      <Card
        title={words.title}
        isFlush
        aside={
          hasNone ? undefined : <LettersBar selected={selection.ids} filter={filter} onBulk={setBulk} onClear={() => selection.clear()} />
        }
      >
        <Answered query={query}>
          {({ pages }) => {
            const rows = pages.flatMap(({ letters }) => letters);
            if (rows.length === 0) return <Empty title={words.none}>{words.noneText}</Empty>;
            return (
              <>
                <List label={words.title} rows={rows} columns={letterColumns(queue, rows)} keyOf={({ id }) => id} selection={selection} />
                <More shown={rows.length} query={query} />
              </>
            );
          }}
        </Answered>
      </Card>
      {bulk && <BulkDialog path={path} bulk={bulk} onClose={() => setBulk(undefined)} onBegun={() => selection.clear()} />}
    </QueueFrame>
  );
}
