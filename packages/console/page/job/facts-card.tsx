import type { ReactNode } from "react";
import { Link } from "wouter";
import type { JobView } from "../../src/api/job.ts";
import { Card } from "../list/card.tsx";
import { Since } from "../parts/since.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./job-view.module.css";

const words = texts.job;

/** What a job is, apart from its payload. */
export function FactsCard({ job }: { readonly job: JobView }): ReactNode {
  const { queue, group, priority, attempts, addedAt, dueAt, startedAt, worker, onChildDead, parent, transactional, isFromRow } = job;
  return (
    <Card title={words.facts}>
      <dl className={classes.facts}>
        <Fact label={words.queue}>
          <Link href={paths.queue(queue)}>{queue}</Link>
        </Fact>
        <Fact label={words.keptIn}>{!transactional ? words.inValkey : isFromRow ? words.inPostgresAlone : words.inPostgres}</Fact>
        {group !== null && (
          <Fact label={words.group}>
            <Link href={paths.jobs(queue, { group })}>{group}</Link>
          </Fact>
        )}
        <Fact label={words.priority}>{texts.priorities[priority as keyof typeof texts.priorities] ?? priority}</Fact>
        <Fact label={words.attempts}>{attempts}</Fact>
        {addedAt !== null && (
          <Fact label={words.addedAt}>
            <When at={addedAt} isStop />
          </Fact>
        )}
        {dueAt !== null && (
          <Fact label={words.dueAt}>
            <When at={dueAt} isStop />
          </Fact>
        )}
        {startedAt !== null && (
          <Fact label={words.runsFor}>
            <Since at={startedAt} />
          </Fact>
        )}
        {worker !== null && <Fact label={words.worker}>{worker}</Fact>}
        {parent !== null && (
          <Fact label={words.parent}>
            <Link href={paths.job(parent.queue, parent.id)} className="mono">
              {parent.id}
            </Link>
          </Fact>
        )}
        {onChildDead !== null && <Fact label={words.onChildDead}>{onChildDead}</Fact>}
      </dl>
    </Card>
  );
}

function Fact({ label, children }: { readonly label: string; readonly children: ReactNode }): ReactNode {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  );
}
