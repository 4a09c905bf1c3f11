import type { ReactNode } from "react";
import type { TimelineEntry } from "../../src/api/job.ts";
import { Card } from "../list/card.tsx";
import { When } from "../parts/when.tsx";
import { texts } from "../texts.ts";
import classes from "./job-view.module.css";

/** What is known to have happened to it, oldest first. */
export function TimelineCard({ entries }: { readonly entries: readonly TimelineEntry[] }): ReactNode {
  if (entries.length === 0) return null;
  return (
    <Card title={texts.job.timeline}>
      <ol className={classes.timeline}>
        {entries.map(({ at, what, detail }) => (
          <li key={`${at}-${what}-${detail ?? ""}`} className={classes.event} data-what={what}>
            <span>
              {texts.job.events[what]}
              {detail !== null && <span className={classes.detail}> {detail}</span>}
            </span>
            <span className={classes.note}>
              <When at={at} isStop />
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
