import type { ReactNode } from "react";
import { Link } from "wouter";
import type { WorkerView } from "../../src/api/queue.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Empty } from "../parts/empty.tsx";
import { Since } from "../parts/since.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./workers-card.module.css";

const words = texts.workers;
const shownJobs = 5;

interface WorkersCardProps {
  readonly queue: string;
  readonly workers: readonly WorkerView[] | null;
}

/** Who works on it, where, and what they run for longest. */
export function WorkersCard({ queue, workers }: WorkersCardProps): ReactNode {
  const columns: readonly Column<WorkerView>[] = [
    { header: words.host, isTitle: true, cell: ({ host, id }) => <span className={classes.host}>{host ?? id}</span> },
    { header: words.process, cell: ({ pid }) => pid ?? "–" },
    { header: words.version, cell: ({ version }) => version ?? "–" },
    {
      header: words.busy,
      isNumber: true,
      cell: ({ running, concurrency }) => words.of(formatCount(running), concurrency === null ? "?" : formatCount(concurrency)),
    },
    { header: words.since, cell: ({ startedAt }) => (startedAt === null ? "–" : <When at={startedAt} />) },
    { header: words.runs, cell: ({ jobs }) => <Jobs queue={queue} jobs={jobs} /> },
  ];
  return (
    <Card title={words.title} aside={workers && <span>{formatCount(workers.length)}</span>} isFlush>
      {workers === null || workers.length === 0 ? (
        <Empty title={workers === null ? words.notKnown : words.none}>{workers !== null && words.noneText}</Empty>
      ) : (
        <List label={words.title} rows={workers} columns={columns} keyOf={({ id }) => id} />
      )}
    </Card>
  );
}

function Jobs({ queue, jobs }: { readonly queue: string; readonly jobs: WorkerView["jobs"] }): ReactNode {
  if (jobs.length === 0) return <span className={classes.idle}>{words.idle}</span>;
  return (
    <ul className={classes.jobs}>
      {jobs.slice(0, shownJobs).map(({ id, attempt, startedAt }) => (
        <li key={id}>
          <Link href={paths.job(queue, id)} className="mono">
            {id}
          </Link>{" "}
          <span className={classes.note}>
            <Since at={startedAt} />
            {attempt > 1 && ` · ${words.attempt(attempt)}`}
          </span>
        </li>
      ))}
      {jobs.length > shownJobs && <li className={classes.note}>{words.more(jobs.length - shownJobs)}</li>}
    </ul>
  );
}
