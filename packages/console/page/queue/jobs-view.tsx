import type { ReactNode } from "react";
import { Link } from "wouter";
import type { JobRow, JobsPage } from "../../src/api/job.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useFilter } from "../list/use-filter.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Name } from "../parts/name.tsx";
import { Preview } from "../parts/preview.tsx";
import { StateTag } from "../parts/state-tag.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { usePages, useQueue } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { JobsFilter } from "./jobs-filter.tsx";
import { FromRows } from "./from-rows.tsx";
import { QueueFrame } from "./queue-frame.tsx";

const words = texts.jobs;

/** A queue's jobs by their state, in pages; what is looked for stands in the address. */
export function JobsView({ queue }: { readonly queue: string }): ReactNode {
  const [{ state, group, contains, error }, setFilter] = useFilter();
  const { data: view } = useQueue(queue);
  const path = `queues/${queue}/jobs`;
  const query = usePages<JobsPage>(path, { state, group, contains, error });
  useRefreshed(`queue:${queue}`, ["pages", path]);
  return (
    <QueueFrame queue={queue}>
      <JobsFilter
        queue={queue}
        filter={{ state, group, contains, error }}
        onChange={setFilter}
        counts={view?.counts}
        transactional={view?.transactional === true}
      />
      <Card title={titleOf(state)} isFlush aside={<FromRows pages={query.data?.pages} text={words.fromRows} />}>
        <Answered query={query}>
          {({ pages }) => {
            const rows = pages.flatMap(({ jobs }) => jobs);
            if (rows.length === 0 && !query.hasNextPage) return <Empty title={words.none}>{words.noneText}</Empty>;
            return (
              <>
                {rows.length === 0 && <Empty title={words.noneSoFar}>{words.noneSoFarText}</Empty>}
                {rows.length > 0 && (
                  <List
                    label={words.title}
                    rows={rows}
                    columns={columnsOf(queue, { rows, isOfOneState: state !== undefined })}
                    keyOf={({ id }) => id}
                  />
                )}
                <More shown={rows.length} query={query} />
              </>
            );
          }}
        </Answered>
      </Card>
    </QueueFrame>
  );
}

function titleOf(state: string | undefined): string {
  return words.titles[(state ?? "all") as keyof typeof words.titles] ?? words.title;
}

interface Listed {
  readonly rows: readonly JobRow[];
  readonly isOfOneState: boolean;
}

/** What says nothing in any row is left out. */
function columnsOf(queue: string, { rows, isOfOneState }: Listed): readonly Column<JobRow>[] {
  const all: readonly (Column<JobRow> | false)[] = [
    {
      header: words.id,
      isTitle: true,
      cell: ({ id }) => (
        <Link href={paths.job(queue, id)} className="mono">
          {id}
        </Link>
      ),
    },
    !isOfOneState && { header: words.state, isNarrow: true, cell: ({ state }) => <StateTag state={state} /> },
    {
      header: words.payload,
      isWide: true,
      cell: ({ payload, error }) => <Preview text={error ?? payload?.preview} isError={error !== null} />,
    },
    rows.some(({ group }) => group !== null) && { header: words.group, isName: true, cell: ({ group }) => <Name text={group} /> },
    rows.some(({ attempts }) => attempts > 0) && { header: words.attempts, isNumber: true, cell: ({ attempts }) => attempts },
    rows.some(({ addedAt, dueAt }) => (addedAt ?? dueAt) !== null) && {
      header: words.when,
      isNarrow: true,
      cell: ({ addedAt, dueAt }) => <Times addedAt={addedAt} dueAt={dueAt} />,
    },
  ];
  return all.filter((column) => column !== false);
}

function Times({ addedAt, dueAt }: { readonly addedAt: number | null; readonly dueAt: number | null }): ReactNode {
  if (dueAt !== null) {
    return (
      <span>
        {words.due} <When at={dueAt} />
      </span>
    );
  }
  return addedAt === null ? null : <When at={addedAt} />;
}
