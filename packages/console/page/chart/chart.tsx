import { Skeleton } from "@mantine/core";
import { lazy, Suspense, type ReactNode } from "react";
import type { ChartProps } from "./rates-chart.tsx";

const RatesChart = lazy(async () => ({ default: (await import("./rates-chart.tsx")).RatesChart }));

export function Chart(props: ChartProps): ReactNode {
  return (
    <Suspense fallback={<Skeleton height={250} />}>
      <RatesChart {...props} />
    </Suspense>
  );
}
