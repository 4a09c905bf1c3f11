import type { ReactNode } from "react";
import type { GroupLetterRow, GroupLettersBody, GroupLettersPage } from "../../src/api/stream.ts";
import { ActButton } from "../acts/act-button.tsx";
import { unchanged, type Outcome } from "../acts/outcome.ts";
import { formatCount } from "../format/numbers.ts";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useSelection } from "../list/use-selection.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Foldout } from "../parts/foldout.tsx";
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
  { header: texts.stream.key, isNarrow: true, cell: ({ key }) => key ?? "" },
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

/** What a group could not do: handed out again or thrown away, those that are selected or all. */
export function GroupLetters({ stream, group, total }: GroupLettersProps): ReactNode {
  const group_ = `streams/${stream}/groups/${group}`;
  const path = `${group_}/letters`;
  const query = usePages<GroupLettersPage>(path);
  const selection = useSelection();
  useRefreshed(`stream:${stream}`, ["pages", path]);
  const ids = [...selection.ids];
  const meant = ids.length > 0 ? formatCount(ids.length) : formatCount(total);
  const body: GroupLettersBody = ids.length > 0 ? { ids } : { all: true };
  const act = async (what: "redrive" | "discard"): Promise<Outcome> => {
    const { count } = await post<{ count: number }>(`${group_}/${what}`, body);
    selection.clear();
    await queryClient.invalidateQueries({ queryKey: ["pages"] });
    const text = words.acted[what](formatCount(count));
    return count > 0 ? text : unchanged(text);
  };
  return (
    <Card
      title={words.title}
      isFlush
      aside={
        total > 0 && (
          <div className={classes.acts}>
            {ids.length > 0 && <span className={classes.note}>{words.selected(meant)}</span>}
            <ActButton
              size="compact-sm"
              label={ids.length > 0 ? words.redriveSelected : words.redriveAll}
              question={{
                title: words.bulkTitles.redrive,
                text: words.groupTexts.redrive(meant),
                button: words.bulkButtons.redrive(meant),
              }}
              run={() => act("redrive")}
            />
            <ActButton
              size="compact-sm"
              isDangerous
              variant="subtle"
              label={ids.length > 0 ? words.discardSelected : words.discardAll}
              question={{
                title: words.bulkTitles.discard,
                text: words.groupTexts.discard(meant),
                button: words.bulkButtons.discard(meant),
              }}
              run={() => act("discard")}
            />
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
    </Card>
  );
}
