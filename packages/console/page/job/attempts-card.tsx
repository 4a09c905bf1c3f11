import type { ReactNode } from "react";
import type { JobView } from "../../src/api/job.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { Foldout } from "../parts/foldout.tsx";
import { When } from "../parts/when.tsx";
import { texts } from "../texts.ts";
import classes from "./job-view.module.css";

const words = texts.attempts;

/** The attempts that failed, the newest first, with their stacks: that of what it died of is open. */
export function AttemptsCard({ job: { history, attempts, stack, error } }: { readonly job: JobView }): ReactNode {
  const newestFirst = history.toReversed();
  const ofDeath = stack !== null && <Stack text={stack} label={words.stack} />;
  return (
    <Card title={words.title} aside={attempts > 0 && <span className={classes.note}>{words.count(attempts)}</span>}>
      {(newestFirst.length > 0 || error !== null) && (
        <ol className={classes.attempts}>
          {newestFirst.length === 0 && (
            <li className={classes.attempt}>
              <div className={classes.error}>{error}</div>
              {ofDeath}
            </li>
          )}
          {newestFirst.map((attempt, index) => (
            <li key={`${attempt.at}-${history.length - index}`} className={classes.attempt}>
              <div className={classes.error}>{attempt.error}</div>
              <div className={classes.note}>
                <When at={attempt.at} isStop />
                {attempt.tookMs !== null && ` · ${words.took(formatDuration(attempt.tookMs))}`}
              </div>
              {attempt.stack !== null && (
                <Foldout summary={<span className={classes.note}>{words.stackOfOne}</span>}>
                  <Stack text={attempt.stack} label={words.stackOf(attempt.error)} />
                </Foldout>
              )}
              {index === 0 && ofDeath}
            </li>
          ))}
        </ol>
      )}
      {newestFirst.length === 0 && error === null && ofDeath}
    </Card>
  );
}

function Stack({ text, label }: { readonly text: string; readonly label: string }): ReactNode {
  return (
    // What scrolls must be reached with the keyboard.
    <pre className={`${classes.stack} mono`} tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  );
}
