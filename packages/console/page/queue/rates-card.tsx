import { SegmentedControl } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { QueueRates, RatePoint } from "../../src/api/queue.ts";
import { Chart } from "../chart/chart.tsx";
import type { Series } from "../chart/rates-chart.tsx";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { Answered } from "../parts/answered.tsx";
import { useAnswer } from "../server/queries.ts";
import type { Query } from "../server/request.ts";
import { texts } from "../texts.ts";
import classes from "./rates-card.module.css";

const ranges: Readonly<Record<string, Query>> = {
  hour: { minutes: 60 },
  day: { minutes: 1_440 },
  month: { hours: 720 },
  quarter: { hours: 2_160 },
};
const subjects = ["flow", "depth", "age"] as const;
type Subject = (typeof subjects)[number];

const series: Readonly<Record<Subject, readonly Series[]>> = {
  flow: [
    { key: "added", name: texts.rates.added, color: "var(--kl-chart-in)", isArea: true },
    { key: "completed", name: texts.rates.completed, color: "var(--kl-chart-out)" },
    { key: "failed", name: texts.rates.failed, color: "var(--kl-chart-failed)" },
  ],
  depth: [
    { key: "waiting", name: texts.states.waiting, color: "var(--kl-chart-in)", isArea: true },
    { key: "running", name: texts.states.running, color: "var(--kl-chart-out)" },
    { key: "dead", name: texts.states.dead, color: "var(--kl-chart-failed)" },
  ],
  age: [{ key: "oldest", name: texts.rates.oldest, color: "var(--kl-chart-in)", isArea: true }],
};

/** What came in and went out, how many waited and for how long, over an hour up to a quarter. */
export function RatesCard({ queue }: { readonly queue: string }): ReactNode {
  const [range, setRange] = useState("hour");
  const [subject, setSubject] = useState<Subject>("flow");
  const query = useAnswer<QueueRates>(`queues/${queue}/rates`, ranges[range], { refetchInterval: 15_000 });
  return (
    <Card
      title={texts.rates.title}
      aside={
        <div className={classes.choices}>
          <SegmentedControl
            size="xs"
            aria-label={texts.rates.subject}
            value={subject}
            onChange={(value) => setSubject(value)}
            data={subjects.map((value) => ({ value, label: texts.rates.subjects[value] }))}
          />
          <SegmentedControl
            size="xs"
            aria-label={texts.rates.range}
            value={range}
            onChange={setRange}
            data={Object.keys(ranges).map((value) => ({ value, label: texts.rates.ranges[value as keyof typeof texts.rates.ranges] }))}
          />
        </div>
      }
    >
      <Answered query={query}>
        {({ points, unit }) => (
          <Chart
            label={texts.rates.label(texts.rates.subjects[subject], texts.rates.units[unit])}
            points={points.map(pointOf)}
            series={series[subject]}
            {...(subject === "age" && { format: formatDuration })}
          />
        )}
      </Answered>
    </Card>
  );
}

function pointOf({ at, added, completed, failed, depth, oldestWaitingMs }: RatePoint): Record<string, number | null> & { at: number } {
  return {
    at,
    added,
    completed,
    failed,
    waiting: depth?.waiting ?? null,
    running: depth?.running ?? null,
    dead: depth?.dead ?? null,
    oldest: oldestWaitingMs,
  };
}
