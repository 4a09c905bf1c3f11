import type { ReactNode } from "react";
import type { StreamGroup } from "../../src/api/stream.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { Tag } from "../parts/tag.tsx";
import { Tile, Tiles } from "../parts/tile.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { useAnswer } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { GroupLetters } from "./group-letters.tsx";
import { RemoveGroup } from "./remove-group.tsx";
import { ResetGroup } from "./reset-group.tsx";

const words = texts.stream;

interface GroupViewProps {
  readonly stream: string;
  readonly group: string;
}

/** How far a group is, who works for it, and what it could not do. */
export function GroupView({ stream, group }: GroupViewProps): ReactNode {
  const path = `streams/${stream}/groups/${group}`;
  const query = useAnswer<StreamGroup>(path);
  useRefreshed(`stream:${stream}`, ["pages", path]);
  return (
    <>
      <Heading
        title={group}
        isName
        crumbs={[
          { text: texts.nav.overview, to: paths.overview },
          { text: stream, to: paths.stream(stream) },
        ]}
        tags={<Tag>{words.groupKind}</Tag>}
        acts={
          query.data && (
            <>
              <ResetGroup stream={stream} group={group} />
              <RemoveGroup stream={stream} group={group} />
            </>
          )
        }
      />
      <Answered query={query} unknown={<Empty title={words.unknownGroup(group)} />}>
        {(found) => (
          <>
            <Figures group={found} />
            <Consumers group={found} />
            <GroupLetters stream={stream} group={group} total={found.dead} />
          </>
        )}
      </Answered>
    </>
  );
}

function Figures({ group: { lag, pending, oldestPendingAt, retrying, dead, lost } }: { readonly group: StreamGroup }): ReactNode {
  return (
    <div style={{ marginBottom: 16 }}>
      <Tiles label={words.figures}>
        <Tile
          label={words.lag}
          value={lag === null ? "–" : formatCount(lag)}
          detail={words.lagText}
          tone={(lag ?? 0) > 0 ? "warn" : "plain"}
        />
        <Tile
          label={words.pending}
          value={formatCount(pending)}
          detail={
            oldestPendingAt === null ? undefined : (
              <>
                {words.oldest} <When at={oldestPendingAt} />
              </>
            )
          }
        />
        <Tile label={words.retrying} value={formatCount(retrying)} />
        <Tile label={words.dead} value={formatCount(dead)} tone={dead > 0 ? "danger" : "plain"} />
        <Tile label={words.lost} value={formatCount(lost)} detail={words.lostText} tone={lost > 0 ? "danger" : "plain"} />
      </Tiles>
    </div>
  );
}

const columns: readonly Column<StreamGroup["consumers"][number]>[] = [
  { header: texts.workers.host, isTitle: true, cell: ({ host, id }) => host ?? id },
  { header: texts.workers.process, cell: ({ pid }) => pid ?? "–" },
  { header: texts.workers.version, cell: ({ version }) => version ?? "–" },
  {
    header: texts.workers.busy,
    isNumber: true,
    cell: ({ running, concurrency }) => texts.workers.of(formatCount(running), concurrency === null ? "?" : formatCount(concurrency)),
  },
  { header: texts.workers.since, cell: ({ startedAt }) => (startedAt === null ? "–" : <When at={startedAt} />) },
];

function Consumers({ group: { consumers, consumerCount } }: { readonly group: StreamGroup }): ReactNode {
  return (
    <Card title={words.consumers} aside={<span>{formatCount(consumerCount)}</span>} isFlush>
      {consumers.length === 0 ? (
        <Empty title={consumerCount === 0 ? words.noConsumers : words.unknownConsumers} />
      ) : (
        <List label={words.consumers} rows={consumers} columns={columns} keyOf={({ id }) => id} />
      )}
    </Card>
  );
}
