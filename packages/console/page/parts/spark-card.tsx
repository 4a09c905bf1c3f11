import type { ReactNode } from "react";
import type { SparkPoint } from "../../src/api/overview.ts";
import { Chart } from "../chart/chart.tsx";
import { Card } from "../list/card.tsx";
import { texts } from "../texts.ts";

interface SparkCardProps {
  readonly spark: readonly SparkPoint[];
  /** What came in, what went out, and what failed where anything can. */
  readonly names: { readonly in: string; readonly out: string; readonly failed?: string };
}

/** The last hour, minute by minute. */
export function SparkCard({ spark, names }: SparkCardProps): ReactNode {
  if (spark.length === 0) return null;
  return (
    <Card title={texts.rates.lastHour}>
      <Chart
        label={texts.rates.lastHour}
        points={spark.map(({ at, in: came, out, failed }) => ({ at, in: came, out, failed }))}
        series={[
          { key: "in", name: names.in, color: "var(--kl-chart-in)", isArea: true },
          { key: "out", name: names.out, color: "var(--kl-chart-out)" },
          ...(names.failed === undefined ? [] : [{ key: "failed", name: names.failed, color: "var(--kl-chart-failed)" }]),
        ]}
      />
    </Card>
  );
}
