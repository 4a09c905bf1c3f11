import type { ReactNode } from "react";
import type { Kind, Overview } from "../../src/api/overview.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { useOverview } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { Attention } from "./attention.tsx";
import { channelColumns, queueColumns, streamColumns } from "./columns.tsx";

/** What needs somebody comes first, with its cause and what to do; then everything there is, by the age of its oldest. */
export function OverviewView(): ReactNode {
  const query = useOverview();
  return (
    <>
      <Heading title={texts.overview.title} />
      <Answered query={query}>{(overview) => <Everything overview={overview} />}</Answered>
    </>
  );
}

function Everything({ overview }: { readonly overview: Overview }): ReactNode {
  if (overview.items.length === 0) {
    return (
      <>
        {overview.warnings.length > 0 && <Attention overview={overview} />}
        <Card title={texts.overview.queues}>
          <Empty title={texts.overview.nothing}>{texts.overview.nothingYet}</Empty>
        </Card>
      </>
    );
  }
  return (
    <>
      <Attention overview={overview} />
      <Section kind="queue" title={texts.overview.queues} columns={queueColumns} overview={overview} />
      <Section kind="stream" title={texts.overview.streams} columns={streamColumns} overview={overview} />
      <Section kind="channel" title={texts.overview.channels} columns={channelColumns} overview={overview} />
      {overview.leftOut > 0 && <p>{texts.overview.leftOut(formatCount(overview.leftOut))}</p>}
    </>
  );
}

interface SectionProps {
  readonly kind: Kind;
  readonly title: string;
  readonly columns: readonly Column<Overview["items"][number]>[];
  readonly overview: Overview;
}

function Section({ kind, title, columns, overview }: SectionProps): ReactNode {
  const rows = overview.items.filter((item) => item.kind === kind);
  if (rows.length === 0) return null;
  return (
    <Card title={title} aside={<span>{formatCount(rows.length)}</span>} isFlush>
      <List label={title} rows={rows} columns={columns} keyOf={({ name }) => name} />
    </Card>
  );
}
