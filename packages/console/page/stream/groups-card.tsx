import type { ReactNode } from "react";
import { Link } from "wouter";
import type { StreamGroup } from "../../src/api/stream.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Empty } from "../parts/empty.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./stream-view.module.css";

const words = texts.stream;

interface GroupsCardProps {
  readonly stream: string;
  readonly groups: readonly StreamGroup[] | null;
}

/** Who reads the stream, and how far each is. */
export function GroupsCard({ stream, groups }: GroupsCardProps): ReactNode {
  return (
    <Card title={words.groups} aside={groups && <span className={classes.note}>{formatCount(groups.length)}</span>} isFlush>
      {groups === null || groups.length === 0 ? (
        <Empty title={groups === null ? texts.notKnown : words.noGroups}>{groups !== null && words.noGroupsText}</Empty>
      ) : (
        <List label={words.groups} rows={groups} columns={columnsOf(stream)} keyOf={({ name }) => name} />
      )}
    </Card>
  );
}

function columnsOf(stream: string): readonly Column<StreamGroup>[] {
  return [
    { header: words.group, isTitle: true, cell: ({ name }) => <Link href={paths.group(stream, name)}>{name}</Link> },
    {
      header: words.lag,
      isNumber: true,
      cell: ({ lag }) => <span className={(lag ?? 0) > 0 ? classes.late : undefined}>{lag === null ? "–" : formatCount(lag)}</span>,
    },
    { header: words.pending, isNumber: true, cell: ({ pending }) => formatCount(pending) },
    { header: words.oldestPending, cell: ({ oldestPendingAt }) => (oldestPendingAt === null ? null : <When at={oldestPendingAt} />) },
    { header: words.retrying, isNumber: true, cell: ({ retrying }) => formatCount(retrying) },
    {
      header: words.dead,
      isNumber: true,
      cell: ({ name, dead }) => (dead === 0 ? "0" : <Link href={paths.group(stream, name)}>{formatCount(dead)}</Link>),
    },
    { header: words.consumers, isNumber: true, cell: ({ consumerCount }) => formatCount(consumerCount) },
    { header: words.lastSeen, cell: ({ lastSeenAt }) => (lastSeenAt === null ? null : <When at={lastSeenAt} />) },
  ];
}
