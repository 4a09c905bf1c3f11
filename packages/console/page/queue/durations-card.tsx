import type { ReactNode } from "react";
import type { Durations } from "../../src/api/basics.ts";
import { formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { Empty } from "../parts/empty.tsx";
import { texts } from "../texts.ts";
import classes from "./durations-card.module.css";

interface DurationsCardProps {
  readonly run: Durations | null;
  readonly wait: Durations | null;
}

const percentiles = ["p50", "p95", "p99"] as const;

/** How long jobs waited and ran in the last hour. */
export function DurationsCard({ run, wait }: DurationsCardProps): ReactNode {
  const isKnown = (run?.count ?? 0) + (wait?.count ?? 0) > 0;
  return (
    <Card title={texts.durations.title}>
      {isKnown ? (
        <table className={classes.table}>
          <thead>
            <tr>
              <td />
              <th scope="col">{texts.durations.wait}</th>
              <th scope="col">{texts.durations.run}</th>
            </tr>
          </thead>
          <tbody>
            {percentiles.map((percentile) => (
              <tr key={percentile}>
                <th scope="row">{texts.durations[percentile]}</th>
                <td>{timeOf(wait?.[percentile])}</td>
                <td>{timeOf(run?.[percentile])}</td>
              </tr>
            ))}
            <tr>
              <th scope="row">{texts.durations.jobs}</th>
              <td>{formatCount(wait?.count ?? 0)}</td>
              <td>{formatCount(run?.count ?? 0)}</td>
            </tr>
          </tbody>
        </table>
      ) : (
        <Empty title={run === null && wait === null ? texts.durations.notKnown : texts.durations.none} />
      )}
    </Card>
  );
}

function timeOf(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? "–" : formatDuration(ms);
}
