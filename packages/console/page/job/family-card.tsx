import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import type { FamilyNode, FamilyView, JobView } from "../../src/api/job.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { Answered } from "../parts/answered.tsx";
import { StateTag } from "../parts/state-tag.tsx";
import { paths } from "../routes.ts";
import { useAnswer } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import classes from "./job-view.module.css";

type Place = Pick<FamilyNode, "queue" | "id">;

/** Who is above a job, and what is below it. */
export function FamilyCard({ job: { queue, id, children } }: { readonly job: JobView }): ReactNode {
  const path = `queues/${queue}/jobs/${id}/family`;
  const query = useAnswer<FamilyView>(path);
  useRefreshed(`job:${queue}/${id}`, ["pages", path]);
  return (
    <Card title={texts.family.title} aside={children && <span className={classes.note}>{totalsOf(children)}</span>}>
      <Answered query={query}>{({ above, node }) => <Above above={above} node={node} current={id} />}</Answered>
    </Card>
  );
}

function Above({
  above,
  node,
  current,
}: {
  readonly above: readonly Place[];
  readonly node: FamilyNode;
  readonly current: string;
}): ReactNode {
  const [highest, ...rest] = above;
  return (
    <ul className={classes.tree}>
      {highest ? (
        <li>
          <div className={classes.node}>
            <Link href={paths.job(highest.queue, highest.id)} className="mono">
              {highest.id}
            </Link>
            <span className={classes.note}>{highest.queue}</span>
          </div>
          <Above above={rest} node={node} current={current} />
        </li>
      ) : (
        <Node node={node} current={current} />
      )}
    </ul>
  );
}

function Node({ node: { queue, id, state, children, next }, current }: { readonly node: FamilyNode; readonly current: string }): ReactNode {
  return (
    <li>
      <div className={classes.node} data-current={id === current}>
        {id === current ? (
          <span className="mono" aria-current="true">
            {id}
          </span>
        ) : (
          <Link href={paths.job(queue, id)} className="mono">
            {id}
          </Link>
        )}
        <StateTag state={state} />
        <span className={classes.note}>{queue}</span>
      </div>
      {(children.length > 0 || next !== null) && (
        <ul className={classes.tree}>
          {children.map((child) => (
            <Node key={`${child.queue}/${child.id}`} node={child} current={current} />
          ))}
          {next !== null && <Further queue={queue} id={id} cursor={next} />}
        </ul>
      )}
    </li>
  );
}

/** Further children, when somebody asks for them. */
function Further({ queue, id, cursor }: Place & { readonly cursor: string }): ReactNode {
  const [isWanted, setWanted] = useState(false);
  const query = useAnswer<FamilyView>(`queues/${queue}/jobs/${id}/family`, { cursor }, { enabled: isWanted });
  if (query.data) {
    return (
      <>
        {query.data.node.children.map((child) => (
          <Node key={`${child.queue}/${child.id}`} node={child} current="" />
        ))}
        {query.data.node.next !== null && <Further queue={queue} id={id} cursor={query.data.node.next} />}
      </>
    );
  }
  return (
    <li>
      <Button size="compact-xs" variant="subtle" loading={query.isFetching} onClick={() => setWanted(true)}>
        {texts.family.more}
      </Button>
    </li>
  );
}

function totalsOf({ total, open, dead, cancelled }: NonNullable<JobView["children"]>): string {
  return texts.family.totals(formatCount(total), formatCount(open), formatCount(dead), formatCount(cancelled));
}
