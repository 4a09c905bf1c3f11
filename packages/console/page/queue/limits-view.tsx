import type { ReactNode } from "react";
import type { Limits } from "../../src/api/queue.ts";
import { formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { Answered } from "../parts/answered.tsx";
import { useAnswer } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { EditLimits } from "./edit-limits.tsx";
import classes from "./limits-view.module.css";
import { QueueFrame } from "./queue-frame.tsx";

const words = texts.limits;

/** How fast jobs may run, whoever takes them. */
export function LimitsView({ queue }: { readonly queue: string }): ReactNode {
  const query = useAnswer<Limits>(`queues/${queue}/limits`);
  return (
    <QueueFrame queue={queue}>
      <Answered query={query}>
        {(limits) => (
          <Card title={words.title} aside={<EditLimits queue={queue} limits={limits} />}>
            <dl className={classes.limits}>
              <Limit label={words.concurrency} value={concurrencyOf(limits.concurrency)} />
              <Limit label={words.rate} value={rateOf(limits.rate)} />
              <Limit
                label={words.groupConcurrency}
                value={limits.group.concurrency === null ? words.inOrder : formatCount(limits.group.concurrency)}
              />
              <Limit label={words.groupRate} value={rateOf(limits.group.rate)} />
            </dl>
          </Card>
        )}
      </Answered>
    </QueueFrame>
  );
}

function Limit({ label, value }: { readonly label: string; readonly value: string }): ReactNode {
  return (
    <div className={classes.limit}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function concurrencyOf(concurrency: number | null): string {
  return concurrency === null ? words.none : words.atOnce(formatCount(concurrency));
}

function rateOf(rate: Limits["rate"]): string {
  return rate === null ? words.none : words.per(formatCount(rate.max), formatDuration(rate.per));
}
