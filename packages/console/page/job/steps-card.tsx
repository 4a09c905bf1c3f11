import type { ReactNode } from "react";
import type { JobView } from "../../src/api/job.ts";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { When } from "../parts/when.tsx";
import { texts } from "../texts.ts";
import classes from "./job-view.module.css";

/** The steps that are done, and what they gave. */
export function StepsCard({ steps }: { readonly steps: JobView["steps"] }): ReactNode {
  return (
    <Card title={texts.job.steps}>
      <ol className={classes.steps}>
        {steps.map(({ name, at, value }) => (
          <li key={name}>
            <div className={classes.node}>
              <strong>{name}</strong>
              {at !== null && (
                <span className={classes.note}>
                  <When at={at} isStop />
                </span>
              )}
            </div>
            {value !== undefined && value !== null && <JsonView label={texts.job.stepValue(name)} value={value} maxHeight={140} />}
          </li>
        ))}
      </ol>
    </Card>
  );
}
