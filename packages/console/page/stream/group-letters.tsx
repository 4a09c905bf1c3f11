import { useState, type ReactNode } from "react";
import type { GroupLetterRow, GroupLettersBody, GroupLettersPage } from "../../src/api/stream.ts";
import { ActButton, OperatorButton } from "../acts/act-button.tsx";
import { unchanged, type Outcome } from "../acts/outcome.ts";
import type { Question } from "../acts/question.ts";
import { formatCount } from "../format/numbers.ts";
import { JsonView } from "../json/json-view.tsx";
import { BulkDialog, type Bulk } from "../letters/bulk-dialog.tsx";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useSelection } from "../list/use-selection.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Foldout } from "../parts/foldout.tsx";
import { Name } from "../parts/name.tsx";
import { Preview } from "../parts/preview.tsx";
import { When } from "../parts/when.tsx";
import { queryClient } from "../server/query-client.ts";
import { usePages } from "../server/queries.ts";
import { post } from "../server/request.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import classes from "./stream-view.module.css";

const words = texts.letters;

interface GroupLettersProps {
  readonly stream: string;
  readonly group: string;
  readonly total: number;
}

const columns: readonly Column<GroupLetterRow>[] = [
  { header: texts.stream.id, isTitle: true, isNarrow: true, cell: ({ id }) => <span className="mono">{id}</span> },
  { header: words.reason, isWide: true, cell: ({ reason }) => <Preview text={reason} isError /> },
  { header: texts.stream.key, isName: true, cell: ({ key }) => <Name text={key} /> },
  { header: texts.jobs.attempts, isNumber: true, cell: ({ attempts }) => attempts },
  { header: words.died, isNarrow: true, cell: ({ at }) => <When at={at} /> },
  {
    header: texts.stream.payload,
    isWide: true,
    cell: ({ payload }) => (
      <Foldout summary={<Preview text={payload.preview} />}>
        <JsonView
          label={texts.stream.payload}
          value={payload.isWhole ? payload.data : payload.preview}
          bytes={payload.bytes}
          maxHeight={260}
        />
      </Foldout>
    ),
  },
];

/** What a group could not do: handed out again or thrown away, those that are selected, or all in a task that goes on in the server. */
export function GroupLetters({ stream, group, total }: GroupLettersProps): ReactNode {
  const group_ = `streams/${stream}/groups/${group}`;
  const path = `${group_}/letters`;
  const query = usePages<GroupLettersPage>(path);
  const selection = useSelection();
  const [bulk, setBulk] = useState<Bulk>();
  useRefreshed(`stream:${stream}`, ["pages", path]);
  const ids = [...selection.ids];
  return (
    <Card
      title={words.title}
      isFlush
      aside={
        total > 0 && (
          <div className={classes.acts}>
            {ids.length > 0 ? <ActsOnSelected path={group_} ids={ids} onDone={() => selection.clear()} /> : <ActsOnAll onBulk={setBulk} />}
          </div>
        )
      }
    >
      <Answered query={query}>
        {({ pages }) => {
          const rows = pages.flatMap(({ letters }) => letters);
          if (rows.length === 0) return <Empty title={words.none} />;
          return (
            <>
              <List label={words.title} rows={rows} columns={columns} keyOf={({ id }) => id} selection={selection} />
              <More shown={rows.length} query={query} />
            </>
          );
        }}
      </Answered>
      {bulk && <BulkDialog path={group_} bulk={bulk} onClose={() => setBulk(undefined)} onBegun={() => selection.clear()} />}
    </Card>
  );
}

function ActsOnAll({ onBulk }: { readonly onBulk: (bulk: Bulk) => void }): ReactNode {
  return (
    <>
      <OperatorButton size="compact-sm" label={words.redriveAll} onClick={() => onBulk({ act: "redrive", all: true })} />
      <OperatorButton
        size="compact-sm"
        variant="subtle"
        color="red"
        label={words.discardAll}
        onClick={() => onBulk({ act: "discard", all: true })}
      />
    </>
  );
}

interface ActsOnSelectedProps {
  /** The group's. */
  readonly path: string;
  readonly ids: readonly string[];
  readonly onDone: () => void;
}

function ActsOnSelected({ path, ids, onDone }: ActsOnSelectedProps): ReactNode {
  const meant = formatCount(ids.length);
  const act = async (what: "redrive" | "discard"): Promise<Outcome> => {
    const body: GroupLettersBody = { ids: [...ids] };
    const { count } = await post<{ count: number }>(`${path}/${what}`, body);
    onDone();
    await queryClient.invalidateQueries({ queryKey: ["pages"] });
    const text = words.acted[what](formatCount(count));
    return count > 0 ? text : unchanged(text);
  };
  const questionOf = (what: "redrive" | "discard"): Question => ({
    title: words.bulkTitles[what],
    text: words.groupSelectedTexts[what](meant),
    button: words.bulkButtons[what](meant),
  });
  return (
    <>
      <span className={classes.note}>{words.selected(meant)}</span>
      <ActButton size="compact-sm" label={words.redriveSelected} question={questionOf("redrive")} run={() => act("redrive")} />
      <ActButton
        size="compact-sm"
        isDangerous
        variant="subtle"
        label={words.discardSelected}
        question={questionOf("discard")}
        run={() => act("discard")}
      />
    </>
  );
}
