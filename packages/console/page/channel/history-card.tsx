import type { ReactNode } from "react";
import type { HistoryPage, MessageRow } from "../../src/api/channel.ts";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Foldout } from "../parts/foldout.tsx";
import { Preview } from "../parts/preview.tsx";
import { When } from "../parts/when.tsx";
import { usePages } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";

const words = texts.channel;

const columns: readonly Column<MessageRow>[] = [
  { header: words.at, isNarrow: true, cell: ({ at }) => <When at={at} /> },
  {
    header: words.message,
    isWide: true,
    cell: ({ payload }) => (
      <Foldout summary={<Preview text={payload.preview} />}>
        <JsonView label={words.message} value={payload.isWhole ? payload.data : payload.preview} bytes={payload.bytes} maxHeight={260} />
      </Foldout>
    ),
  },
];

/** The messages that are kept. */
export function HistoryCard({ channel }: { readonly channel: string }): ReactNode {
  const path = `channels/${channel}/history`;
  const query = usePages<HistoryPage>(path);
  useRefreshed(`channel:${channel}`, ["pages", path]);
  return (
    <Card title={words.history} isFlush>
      <Answered query={query}>
        {({ pages }) => {
          // The newest on top: a page has them as they were said, and the next page has earlier ones.
          const rows = pages.flatMap(({ messages }) => messages.toReversed());
          if (rows.length === 0) return <Empty title={words.noHistory} />;
          return (
            <>
              <List label={words.history} rows={rows} columns={columns} keyOf={({ id }) => id} />
              <More shown={rows.length} query={query} />
            </>
          );
        }}
      </Answered>
    </Card>
  );
}
